"""Every setting of Archon. The environment is read here and nowhere else.

The defaults start on a laptop with nothing set: SQLite and an embedded Redis under the
data directory, loopback only. docs/configuration.md lists every variable.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import secrets
import sys
import tempfile
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from kombu.entity import Queue

from archon.data_folder import kept_key, usable
from archon.env import Environment

# A question times all vectors is a millisecond's work. A second thread of numpy's would wait for it with all of the
# other core, which has work of its own: searches then take twice as long. Before numpy is loaded, and for children.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment.of_process(BASE_DIR / ".env")


# ---- Where things are ---------------------------------------------------------------------

env.group("Where it runs")
MODE = env.choice(
    "ARCHON_MODE",
    "local",
    "local: one person on one machine, loopback only, no account. server: logins, private networks refused.",
    ("local", "server"),
)
LOCAL_MODE = MODE == "local"
DATA_DIR = usable(env.path("ARCHON_DATA_DIR", BASE_DIR / "var", "Folder of the database, Redis and logs.", shown="var"))
HOST = env.text("ARCHON_HOST", "127.0.0.1", "Address that `make up` serves on.")
PORT = env.integer("ARCHON_PORT", 8080, "Port that `make up` serves on.", at_least=1, at_most=65535)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
if LOCAL_MODE and HOST not in LOOPBACK:
    raise ImproperlyConfigured(
        f"ARCHON_HOST={HOST!r} would open local mode, which asks nobody for a password, to the network. "
        "Use 127.0.0.1, or set ARCHON_MODE=server."
    )
BASE_URL = f"http://{'localhost' if HOST == '127.0.0.1' else HOST}:{PORT}"


def unix_socket_path(folder: Path, name: str) -> Path:
    """A socket path must stay under 108 bytes (sun_path); a deep folder gets a short private one."""
    path = folder / name
    if len(os.fsencode(path)) < 100:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"archon-{os.getuid()}-{digest}" / name


# ---- Security -----------------------------------------------------------------------------


def fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == 32
    except ValueError:
        return False


env.group("Access and security")
DEBUG = env.flag("ARCHON_DEBUG", False, "Django's debug pages. Never on a server.")
SECRET_KEY = env.secret("ARCHON_SECRET_KEY", "", "Signs sessions. Made and kept under the data folder in local mode.")
if not SECRET_KEY:
    if not LOCAL_MODE:
        raise ImproperlyConfigured("ARCHON_SECRET_KEY is required when ARCHON_MODE=server: 50 random characters.")
    SECRET_KEY = kept_key(DATA_DIR / "secret_key", lambda: secrets.token_urlsafe(50))

ENCRYPTION_KEYS = tuple(
    key.strip()
    for key in env.secret(
        "ARCHON_ENCRYPTION_KEYS",
        "",
        "Fernet keys of stored secrets, the first encrypts; comma-separated. Made and kept in local mode.",
    ).split(",")
    if key.strip()
)
if not ENCRYPTION_KEYS:
    # On a server it may be left out until something is stored: the first webhook asks for it.
    ENCRYPTION_KEYS = (kept_key(DATA_DIR / "encryption_key", fernet_key),) if LOCAL_MODE else ()
for number, key in enumerate(ENCRYPTION_KEYS, start=1):
    if not is_fernet_key(key):
        raise ImproperlyConfigured(
            f"Key {number} of ARCHON_ENCRYPTION_KEYS is not valid: expected 32 bytes in URL-safe base64, as "
            "`python manage.py rotate-keys --new` prints."
        )

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
ALLOWED_HOSTS = list(
    env.words("ARCHON_ALLOWED_HOSTS", LOOPBACK_HOSTS if LOCAL_MODE else (), "Host names that requests may carry.")
)
if not LOCAL_MODE and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ARCHON_ALLOWED_HOSTS is required when ARCHON_MODE=server: the names people use.")
CSRF_TRUSTED_ORIGINS = list(
    env.words("ARCHON_TRUSTED_ORIGINS", (), "Further origins (scheme://host:port) whose pages may call the API.")
)
HTTPS = env.flag("ARCHON_HTTPS", not LOCAL_MODE, "Cookies, redirects and HSTS for a server behind TLS.")
# archon/proxies.py lets it through only when a trusted proxy sent it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(api/)?health$", r"^ready$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
ACCESS_CHECK_SECONDS = env.number(
    "ARCHON_ACCESS_CHECK_SECONDS",
    50,
    "How often it is looked at whether who opened a socket or an event stream may still follow it.",
    at_least=0.1,
    at_most=60,
)
REQUESTS_PER_MINUTE = env.integer(
    "ARCHON_REQUESTS_PER_MINUTE",
    0 if LOCAL_MODE else 1_200,
    "Requests of one account, or of one address without one; 0: no limit.",
    at_least=0,
    at_most=1_000_000,
    shown="0, on a server 1200",
)
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
TRUSTED_PROXIES = env.words(
    "ARCHON_TRUSTED_PROXIES",
    (),
    "Proxies of yours, addresses or network/bits, whose X-Forwarded-For says who asks, and whose X-Forwarded-Proto "
    "that they came by TLS. Of others neither is read.",
)
for network in TRUSTED_PROXIES:
    try:
        ip_network(network)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"ARCHON_TRUSTED_PROXIES is not valid: {error}. Expected addresses such as 127.0.0.1 or 10.1.0.0/24."
        ) from None
LOGIN_REDIRECT_URL = "/"
AXES_VERBOSE = False  # a line of every command's output
AXES_ENABLED = not LOCAL_MODE
AXES_HANDLER = "archon.logins.LoginHandler"
AXES_LOCKOUT_CALLABLE = "archon.logins.locked_response"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.integer(
    "ARCHON_LOGIN_FAILURES",
    10,
    "Wrong passwords for one account from one address, before both have to wait.",
    at_least=1,
    at_most=1_000,
)
LOGIN_FAILURES_IN_ALL = env.integer(
    "ARCHON_LOGIN_FAILURES_IN_ALL",
    100,
    "Wrong passwords for one account from all addresses, before those from which it never signed in have to wait.",
    at_least=1,
    at_most=100_000,
)
AXES_COOLOFF_TIME = timedelta(
    minutes=env.number(
        "ARCHON_LOGIN_WAIT_MINUTES",
        15,
        "How long that wait is, after the last wrong one.",
        at_least=0.01,
        at_most=1_440,
    )
)
# Whoever goes on trying while they wait makes the wait no longer, theirs or another's.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20


# ---- Django -------------------------------------------------------------------------------

INSTALLED_APPS = [
    *(("daphne",) if "runserver" in sys.argv else ()),  # brings Twisted, for that command alone
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "progress",
    "knowledge",
    "crawler",
    "archon",
]
MIDDLEWARE = [
    "archon.figures.RequestTimes",
    "archon.failures.WrongMethod",
    "django.middleware.security.SecurityMiddleware",
    "archon.static.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "archon.auth.OriginMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "archon.auth.LocalOperatorMiddleware",
    "archon.auth.AccessMiddleware",
    "archon.auth.LimitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as axes asks
]
ROOT_URLCONF = "archon.urls"
ASGI_APPLICATION = "archon.asgi.application"
APPEND_SLASH = False
# For /api/docs: its page and its scripts. As an installed app Ninja would be loaded into every process.
NINJA = Path(*getattr(importlib.util.find_spec("ninja"), "submodule_search_locations", ()))
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "DIRS": [NINJA / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
DOCS_DIR = BASE_DIR / "docs"
DASHBOARD_DIR = BASE_DIR / "archon" / "dashboard" / "dist"
# Files of dist/ answer at the root: /assets/index-<hash>.js. Unknown paths fall through to urls.py.
WHITENOISE_ROOT = DASHBOARD_DIR
STATICFILES_DIRS = [NINJA / "static"]
# Files of the admin come from the installed packages: nothing to collect before a start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# ---- Database -----------------------------------------------------------------------------

SQLITE_BUSY_SECONDS = 20
env.group("Database and Redis")
DATABASE_URL = env.secret("DATABASE_URL", f"sqlite:///{DATA_DIR / 'archon.sqlite3'}", "postgres://... or sqlite:///...")
try:
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)}
except (ValueError, KeyError) as error:
    raise ImproperlyConfigured(f"DATABASE_URL is not valid: {error}. Expected postgres://user@host/name.") from None
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock at BEGIN and waits for it; Django's default takes it at the
    # first write and fails at once under WAL ("database is locked"): 1032 of 1200 against 0 measured.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_BUSY_SECONDS,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000; "
            "PRAGMA wal_autocheckpoint=4000;"
        ),
    }
    # Tests get a file too: an in-memory database locks whole tables between threads, as no real one does.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}


# ---- Redis, channel layer, Celery ---------------------------------------------------------

REDIS_SOCKET = unix_socket_path(DATA_DIR, "redis.sock")
REDIS_URL = env.secret(
    "REDIS_URL",
    f"unix://{REDIS_SOCKET}",
    "redis://... of your own server; empty: one is started under the data folder.",
)
EMBEDDED_REDIS = f"unix://{REDIS_SOCKET}" == REDIS_URL

CHANNEL_LAYERS = {
    "default": {
        # Not the core layer: after a flush or restart of Redis it stays deaf, and it drops at 100 messages.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # redis-py 8 defaults to socket_timeout=5, which closes an idle subscription every 5 s.
            "hosts": [{"address": REDIS_URL, "socket_timeout": None, "socket_connect_timeout": 3}],
            "prefix": "archon",
        },
    },
}


def broker_url(redis_url: str) -> str:
    """Celery spells a unix socket `redis+socket://`, redis-py `unix://`."""
    if redis_url.startswith("unix://"):
        return "redis+socket://" + redis_url.removeprefix("unix://")
    return redis_url


env.group("Workers")
SLICE_SECONDS = env.number(
    "ARCHON_SLICE_SECONDS", 10, "A crawl task yields its worker after this long.", at_least=0.5, at_most=60
)
WORKERS = env.integer(
    "ARCHON_WORKERS",
    os.cpu_count() or 2,
    "Worker processes of `make up`.",
    at_least=1,
    at_most=256,
    shown="number of cores",
)
CELERY_BROKER_URL = broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "archon"
UPKEEP_QUEUE, EMBED_QUEUE = "upkeep", "embed"
# Upkeep comes first. Of the others a worker takes from each in turn: neither crawls nor vectors can starve the other.
QUEUES = (UPKEEP_QUEUE, CELERY_TASK_DEFAULT_QUEUE, EMBED_QUEUE)
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in QUEUES]  # type: ignore[no-untyped-call]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 150
CELERY_TASK_TIME_LIMIT = 180
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = WORKERS
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 512_000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than twice the hard time limit: a shorter one redelivers running tasks for ever.
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "queue_order_strategy": "archon.queue_order:UpkeepFirst",
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
SWEEP_SECONDS = env.number(
    "ARCHON_SWEEP_SECONDS", 5, "How often crawls that nobody works on are woken again.", at_least=0.2, at_most=60
)
CANARY_SECONDS = 15
WEBHOOK_SECONDS = 5
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "crawler.tasks.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": 2 * SWEEP_SECONDS}},
    "refresh": {"task": "crawler.tasks.refresh_due", "schedule": 600, "options": {"expires": 600}},
    "canary": {"task": "archon.tasks.canary", "schedule": CANARY_SECONDS, "options": {"expires": 2 * CANARY_SECONDS}},
    "embed": {
        "task": "knowledge.tasks.sweep_vectors",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": 2 * SWEEP_SECONDS},
    },
    "describe": {"task": "knowledge.tasks.describe_code", "schedule": 15, "options": {"expires": 30}},
    "purge": {"task": "knowledge.tasks.purge", "schedule": 60, "options": {"expires": 60}},
    "uploads": {"task": "knowledge.tasks.sweep_uploads", "schedule": 15, "options": {"expires": 30}},
    "webhooks": {
        "task": "archon.tasks.tell_webhooks",
        "schedule": WEBHOOK_SECONDS,
        "options": {"expires": 2 * WEBHOOK_SECONDS},
    },
    "chats": {"task": "knowledge.chat.tasks.sweep_chats", "schedule": 5, "options": {"expires": 10}},
    "trim_chats": {"task": "knowledge.chat.tasks.trim_chats", "schedule": 3600, "options": {"expires": 3600}},
    "forget": {"task": "archon.tasks.forget_old", "schedule": 3600, "options": {"expires": 3600}},
    "trim": {"task": "progress.tasks.trim", "schedule": 3600, "options": {"expires": 3600}},
}
CELERY_TASK_ROUTES = {str(due["task"]): {"queue": UPKEEP_QUEUE} for due in CELERY_BEAT_SCHEDULE.values()} | {
    name: {"queue": EMBED_QUEUE}
    for name in ("knowledge.tasks.embed_chunks", "knowledge.tasks.describe_code", "crawler.tasks.check_embedder")
}


# ---- Crawling -----------------------------------------------------------------------------

env.group("Crawling")
CONTACT = env.text("ARCHON_CONTACT", "", "URL or address put into the user agent, so that site owners can reach you.")
USER_AGENT = f"Archon/0.1 (+{CONTACT})" if CONTACT else "Archon/0.1 (documentation crawler)"
CRAWL_ALLOW_PRIVATE = env.words(
    "ARCHON_CRAWL_ALLOW_PRIVATE", (), "Private addresses that crawls may reach: host, host:port or network/bits."
)
CRAWL_PORTS = env.words("ARCHON_CRAWL_PORTS", (), "Ports allowed besides 80, 443, 8080 and 8443.")
# Loopback ports of our own: no crawl reaches them, even where loopback is allowed.
OWN_PORTS = frozenset(
    port for port in (PORT, urlsplit(REDIS_URL).port, DATABASES["default"].get("PORT")) if isinstance(port, int)
)
env.group("Limits")
CRAWLS_AT_ONCE = env.integer(
    "ARCHON_CRAWLS_AT_ONCE", 4, "Crawls that work at once; further ones wait in line.", at_least=1, at_most=1_000
)
CRAWLS_PER_OWNER = env.integer(
    "ARCHON_CRAWLS_PER_OWNER", 2, "Crawls of one account that work at once.", at_least=1, at_most=1_000
)
CRAWLS_WAITING_IN_ALL = env.integer(
    "ARCHON_CRAWLS_WAITING_IN_ALL",
    1_000,
    "Crawls of all accounts that run or wait in line.",
    at_least=1,
    at_most=100_000,
)
CRAWLS_WAITING = env.integer(
    "ARCHON_CRAWLS_WAITING", 100, "Crawls of one account that run or wait in line.", at_least=1, at_most=100_000
)
PAGES_PER_DAY = env.integer(
    "ARCHON_PAGES_PER_DAY",
    0 if LOCAL_MODE else 100_000,
    "Pages that the crawls of one account may take within a day; 0: no limit.",
    at_least=0,
    at_most=100_000_000,
    shown="0, on a server 100000",
)
PAGES_PER_DAY_IN_ALL = env.integer(
    "ARCHON_PAGES_PER_DAY_IN_ALL",
    0,
    "Pages that all crawls together may take within a day; 0: no limit.",
    at_least=0,
    at_most=1_000_000_000,
)
MEGABYTES_PER_DAY = env.integer(
    "ARCHON_MEGABYTES_PER_DAY",
    0 if LOCAL_MODE else 10_000,
    "MiB that one account may crawl, upload and import within a day; 0: no limit.",
    at_least=0,
    at_most=10**9,
    shown="0, on a server 10000",
)
MEGABYTES_PER_DAY_IN_ALL = env.integer(
    "ARCHON_MEGABYTES_PER_DAY_IN_ALL",
    0,
    "MiB that all accounts together may crawl, upload and import within a day; 0: no limit.",
    at_least=0,
    at_most=10**9,
)
STORED_MEGABYTES = env.integer(
    "ARCHON_STORED_MEGABYTES",
    0 if LOCAL_MODE else 10_000,
    "MiB of text that the sources of one account may keep, a character counted as a byte; 0: no limit.",
    at_least=0,
    at_most=10**9,
    shown="0, on a server 10000",
)
QUESTIONS_PER_HOUR = env.integer(
    "ARCHON_QUESTIONS_PER_HOUR",
    0 if LOCAL_MODE else 200,
    "Questions that one account may ask in chats within an hour; 0: no limit.",
    at_least=0,
    at_most=1_000_000,
    shown="0, on a server 200",
)
QUESTIONS_PER_HOUR_IN_ALL = env.integer(
    "ARCHON_QUESTIONS_PER_HOUR_IN_ALL",
    0,
    "Questions that all accounts together may ask in chats within an hour; 0: no limit.",
    at_least=0,
    at_most=1_000_000,
)
DISK_FREE_MB = env.integer(
    "ARCHON_DISK_FREE_MB",
    200,
    "With less than this left on the disk crawls are paused, and nothing is taken in.",
    at_least=0,
    at_most=10**7,
)
env.group("Crawling")
CRAWL_CONCURRENCY = env.integer(
    "ARCHON_CRAWL_CONCURRENCY", 8, "Pages in flight per worker process.", at_least=1, at_most=64
)
CRAWL_HOST_CONCURRENCY = env.integer(
    "ARCHON_CRAWL_HOST_CONCURRENCY",
    4,
    "Pages in flight per host over all workers. Loopback and ARCHON_CRAWL_ALLOW_PRIVATE have no limit.",
    at_least=1,
    at_most=64,
)
CRAWL_HOST_DELAY = env.number(
    "ARCHON_CRAWL_HOST_DELAY",
    0.2,
    "Least seconds between two requests to one host over all workers; a longer Crawl-delay counts instead.",
    at_least=0,
    at_most=60,
)
CRAWL_MAX_PAGES = env.integer(
    "ARCHON_CRAWL_MAX_PAGES", 5000, "Page cap of a crawl that names none.", at_least=1, at_most=1_000_000
)
CRAWL_MAX_PAGE_BYTES = env.integer(
    "ARCHON_CRAWL_MAX_PAGE_BYTES", 10 * 2**20, "Largest page, decoded.", at_least=1024, at_most=2**30
)
CRAWL_PAGE_SECONDS = env.number(
    "ARCHON_CRAWL_PAGE_SECONDS", 60, "Longest fetch of one page.", at_least=0.5, at_most=120
)
CRAWL_LEASE_SECONDS = env.number(
    "ARCHON_CRAWL_LEASE_SECONDS",
    20,
    "A page whose worker died is free again after this long.",
    at_least=1,
    at_most=600,
)
env.group("Browser")
CHROMIUM = env.text("ARCHON_CHROMIUM", "", "Program of Chromium or Chrome that renders pages. Empty: found on PATH.")
CDP_URL = env.secret(
    "ARCHON_CDP_URL", "", "DevTools address of a Chromium that runs on this machine already, instead of our own."
)
BROWSER_TABS = env.integer("ARCHON_BROWSER_TABS", 2, "Pages rendered at once per worker.", at_least=1, at_most=32)
BROWSER_PAGE_SECONDS = env.number(
    "ARCHON_BROWSER_PAGE_SECONDS", 30, "Longest rendering of one page.", at_least=1, at_most=60
)
BROWSER_MAX_PAGES = env.integer(
    "ARCHON_BROWSER_MAX_PAGES", 200, "A browser is replaced after so many pages.", at_least=1, at_most=100_000
)
BROWSER_MAX_MINUTES = env.number(
    "ARCHON_BROWSER_MAX_MINUTES", 30, "A browser is replaced after so many minutes.", at_least=0.1, at_most=1_440
)
BROWSER_MAX_MEMORY = env.integer(
    "ARCHON_BROWSER_MAX_MEMORY", 1_536, "A browser that holds more MiB is killed.", at_least=256, at_most=65_536
)
env.group("Crawling")
CRAWL_STALL_MINUTES = env.number(
    "ARCHON_CRAWL_STALL_MINUTES",
    10,
    "A crawl that no worker gets anywhere with for this long, though woken every 10 s, is failed.",
    at_least=0.2,
    at_most=10_000,
)
CRAWL_SLICES_PER_JOB = env.integer(
    "ARCHON_CRAWL_SLICES_PER_JOB",
    WORKERS,
    "Worker processes that one crawl may use at once.",
    at_least=1,
    at_most=256,
    shown="ARCHON_WORKERS",
)


# ---- Embedding and search -----------------------------------------------------------------

env.group("Embedding")
EMBEDDER = env.choice(
    "ARCHON_EMBEDDER",
    "local",
    "Where vectors come from. local: the bundled model, on this machine. remote: ARCHON_EMBEDDER_URL. "
    "off: keyword search only.",
    ("local", "remote", "off"),
)
EMBEDDER_URL = env.text(
    "ARCHON_EMBEDDER_URL",
    "https://api.openai.com/v1",
    "OpenAI-compatible endpoint of a remote embedder: OpenAI, Ollama, vLLM.",
)
EMBEDDER_MODEL = env.text("ARCHON_EMBEDDER_MODEL", "", "Model of a remote embedder.")
EMBEDDER_KEY = env.secret("ARCHON_EMBEDDER_KEY", "", "Key of a remote embedder; one of your own may want none.")
EMBEDDER_BATCH = env.integer(
    "ARCHON_EMBEDDER_BATCH", 32, "Texts in one request to a remote embedder.", at_least=1, at_most=2048
)
EMBEDDER_PER_MINUTE = env.integer(
    "ARCHON_EMBEDDER_PER_MINUTE",
    0,
    "Requests a minute to a remote embedder, of each process; 0 for no limit.",
    at_least=0,
    at_most=1_000_000,
)
EMBEDDER_SECONDS = env.number(
    "ARCHON_EMBEDDER_SECONDS", 20, "Longest wait for an answer of a remote embedder.", at_least=0.1, at_most=120
)
EMBED_WAIT_SECONDS = env.number(
    "ARCHON_EMBED_WAIT_SECONDS",
    60,
    "A crawl whose embedder is away ends without its vectors after this long; they follow later.",
    at_least=0,
    at_most=86_400,
)
RERANKER = env.text(
    "ARCHON_RERANKER",
    "",
    "A cross-encoder that orders the 20 best matches anew, by fastembed's name: `Xenova/ms-marco-MiniLM-L-6-v2`. "
    "Needs `pip install fastembed`, which fetches the model.",
)
if RERANKER and importlib.util.find_spec("fastembed") is None:
    raise ImproperlyConfigured(
        "ARCHON_RERANKER needs the package fastembed: pip install fastembed, or leave ARCHON_RERANKER empty."
    )
# Short, so that a crawl that starts finds a worker within a second or two.
EMBED_SLICE_SECONDS = 1.0
_embedder_url = urlsplit(EMBEDDER_URL)
if _embedder_url.scheme not in ("http", "https") or not _embedder_url.hostname or "@" in _embedder_url.netloc:
    # The value is not shown: it may hold a password.
    raise ImproperlyConfigured(
        "ARCHON_EMBEDDER_URL is not valid: expected http(s)://host/v1, with the key in ARCHON_EMBEDDER_KEY."
    )
if EMBEDDER == "remote" and not EMBEDDER_MODEL:
    raise ImproperlyConfigured("ARCHON_EMBEDDER_MODEL is required when ARCHON_EMBEDDER=remote: the model's name.")


env.group("Crawling")
GITHUB_ORIGINS = env.words(
    "ARCHON_GITHUB_ORIGINS",
    ("https://github.com", "https://raw.githubusercontent.com", "https://codeload.github.com"),
    "GitHub's pages, single files and archives; three origins of your own for GitHub Enterprise.",
)
if len(GITHUB_ORIGINS) != 3:
    raise ImproperlyConfigured(
        f"ARCHON_GITHUB_ORIGINS names {len(GITHUB_ORIGINS)} origins: expected three, of pages, of files, of archives."
    )
CRAWL_MAX_FILE_BYTES = env.integer(
    "ARCHON_CRAWL_MAX_FILE_BYTES",
    100 * 2**20,
    "Largest PDF or archive that a crawl downloads, to disk.",
    at_least=1024,
    at_most=2**32,
)


# ---- Uploads ------------------------------------------------------------------------------

env.group("Uploads")
UPLOAD_MAX_BYTES = env.integer(
    "ARCHON_UPLOAD_MAX_BYTES", 50 * 2**20, "Largest file that may be uploaded.", at_least=1024, at_most=2**31
)
UPLOAD_MEMORY_BYTES = env.integer(
    "ARCHON_UPLOAD_MEMORY_BYTES",
    2**30,
    "Address space of the child process that reads a file.",
    at_least=2**28,
    at_most=2**36,
)
# Named, since it stands above the app whose child loads it: what reads HTML and text files.
PAGE_READER = "crawler.extract"


# ---- Chat ---------------------------------------------------------------------------------

env.group("Chat")
LLM_MODEL = env.text(
    "ARCHON_LLM_MODEL", "", "Model that writes the chat's answers; empty: they are quoted from the passages."
)
LLM_BASE_URL = env.text(
    "ARCHON_LLM_BASE_URL", "https://api.openai.com/v1", "OpenAI-compatible endpoint of the model: OpenAI, Ollama, vLLM."
)
LLM_API_KEY = env.secret("ARCHON_LLM_API_KEY", "", "Key of the endpoint; one of your own may want none.")
LLM_MAX_TOKENS = env.integer(
    "ARCHON_LLM_MAX_TOKENS", 1024, "Longest answer of the model, in tokens.", at_least=16, at_most=100_000
)
LLM_FIRST_TOKEN_SECONDS = env.number(
    "ARCHON_LLM_FIRST_TOKEN_SECONDS", 60, "Longest wait for the first token of the model.", at_least=0.1, at_most=600
)
LLM_STALL_SECONDS = env.number(
    "ARCHON_LLM_STALL_SECONDS", 20, "Longest wait for each further token.", at_least=0.1, at_most=600
)
DESCRIBE_CODE = env.flag(
    "ARCHON_DESCRIBE_CODE",
    True,
    "Whether the model, when there is one, writes titles and summaries of code examples. It reads the code for it.",
)
CHAT_ANSWERS_AT_ONCE = env.integer(
    "ARCHON_CHAT_ANSWERS_AT_ONCE", 200, "Answers that one web process writes at once.", at_least=1, at_most=10_000
)
if urlsplit(LLM_BASE_URL).scheme not in ("http", "https") or not urlsplit(LLM_BASE_URL).hostname:
    raise ImproperlyConfigured(f"ARCHON_LLM_BASE_URL={LLM_BASE_URL!r} is not valid: expected http(s)://host/v1.")


# ---- Knowledge ----------------------------------------------------------------------------

IMPORT_MAX_BYTES = env.integer(
    "ARCHON_IMPORT_MAX_BYTES", 2 * 2**30, "Largest exported source that may be sent in.", at_least=1024, at_most=2**40
)
REMOVED_PAGES_DAYS = env.integer(
    "ARCHON_REMOVED_PAGES_DAYS",
    365,
    "How long it is remembered that a page left its site.",
    at_least=1,
    at_most=36_500,
)
REVISIONS_PER_PAGE = env.integer(
    "ARCHON_REVISIONS_PER_PAGE",
    5,
    "Earlier texts kept of a page that changed, to show what changed; 0: none.",
    at_least=0,
    at_most=1_000,
)
REVISIONS_MEGABYTES = env.integer(
    "ARCHON_REVISIONS_MEGABYTES",
    256,
    "MiB, compressed, that the earlier texts of all pages may take; the oldest go first.",
    at_least=0,
    at_most=1_000_000,
)


# ---- Progress -----------------------------------------------------------------------------

env.group("Progress and assistants")
HEARTBEAT_SECONDS = env.number(
    "ARCHON_HEARTBEAT_SECONDS",
    30,
    "A socket is sent a heartbeat after this long without input.",
    at_least=0.1,
    at_most=300,
)
SOCKETS_PER_CLIENT = env.integer(
    "ARCHON_SOCKETS_PER_CLIENT",
    10_000 if LOCAL_MODE else 200,
    "WebSockets and event streams that one account or address may have open per web process.",
    at_least=1,
    at_most=1_000_000,
)
PROGRESS_EVENTS_KEPT = env.integer(
    "ARCHON_PROGRESS_EVENTS_KEPT", 10_000, "Numbered events kept per progress id.", at_least=100, at_most=10_000_000
)
HISTORY_DAYS = env.integer(
    "ARCHON_HISTORY_DAYS",
    90,
    "How long crawls, uploads and deliveries that are over are remembered; the newest of each source stays.",
    at_least=1,
    at_most=36_500,
)
LOG_RECORDS_KEPT = env.integer(
    "ARCHON_LOG_RECORDS_KEPT", 10_000, "MCP log records kept.", at_least=100, at_most=10_000_000
)
MCP_CRAWLS_PER_HOUR = env.integer(
    "ARCHON_MCP_CRAWLS_PER_HOUR", 30, "Crawls that one assistant's session may start.", at_least=0, at_most=100_000
)


# ---- Tests --------------------------------------------------------------------------------

env.group("Tests")
FAILPOINT = env.text(
    "ARCHON_FAILPOINT", "", "name:nth:kill, raise or delay: a fault at a named place, for tests. Never on a server."
)


# ---- Traces -------------------------------------------------------------------------------

OTEL_ENDPOINT = env.text(
    "OTEL_EXPORTER_OTLP_ENDPOINT", "", "OTLP/HTTP collector that takes traces, such as http://localhost:4318."
)
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", "archon", "Name of this Archon in its traces.")
if OTEL_ENDPOINT:
    MIDDLEWARE.insert(0, "archon.tracing.RequestSpans")


# ---- Logs ---------------------------------------------------------------------------------

env.group("Logs")
LOG_LEVEL = env.choice(
    "ARCHON_LOG_LEVEL", "INFO", "Least severe log line written.", ("DEBUG", "INFO", "WARNING", "ERROR")
)
LOG_FORMAT = env.choice(
    "ARCHON_LOG_FORMAT", "text", "json: one object a line, with the progress id it is about.", ("text", "json")
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "progress.log_lines.JsonLines"},
    },
    "filters": {"seldom": {"()": "progress.log_lines.Seldom"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "level": LOG_LEVEL},
        "mcp_log": {"class": "progress.log_rows.LogRecordHandler"},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "channels_redis": {"level": "CRITICAL"},  # a traceback a second while Redis is away; the hub says it once
        "daphne": {"level": "WARNING"},
        # Whoever can reach the port can make these.
        "archon.proxies": {"filters": ["seldom"]},
        "django.security.DisallowedHost": {"filters": ["seldom"]},
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # Streamed to the dashboard, however quiet stderr is.
        "mcp.server": {"handlers": ["mcp_log"], "level": "INFO"},
        # The SDK tells every request; the log of calls tells more.
        "mcp.server.streamable_http": {"level": "WARNING"},
        "mcp.server.streamable_http_manager": {"level": "WARNING"},
        "mcp.server.mcpserver": {"level": "WARNING"},
        "sse_starlette": {"level": "WARNING"},  # at DEBUG it writes every answer down, pages and all
        "httpx2": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}

env.refuse_unknown()
