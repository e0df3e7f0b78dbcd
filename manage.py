#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import os
import sys


def main() -> None:
    """Run administrative tasks."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as exc:
        raise ImportError(
            "Couldn't import Django. Are you sure it's installed and "
            "available on your PYTHONPATH environment variable? Did you "
            "forget to activate a virtual environment?"
        ) from exc
    try:
        if sys.argv[1:] in ([], ["help"], ["-h"], ["--help"]):
            sys.stdout.write(own_commands() + "\n")
            return
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # its sentence names the setting; where it was read says nothing
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"{error} See docs/configuration.md.")
    except Exception as error:
        from archon.data_folder import why_full

        if "--traceback" in sys.argv or not (told := why_full(error)):
            raise
        sys.exit(told)


def own_commands() -> str:
    import django

    django.setup()
    from archon.overview import overview

    return overview()


if __name__ == "__main__":
    main()
