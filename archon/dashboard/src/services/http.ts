/** One way to call the server, and one error type. */

/** What the server said went wrong, and what to do about it. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly hint: string | null,
    readonly field: string | null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const form = body instanceof FormData;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: {
        Accept: 'application/json',
        // The browser itself names the boundary of a form.
        ...(body === undefined || form ? {} : { 'Content-Type': 'application/json' }),
        ...(method === 'GET' ? {} : csrfHeader()),
      },
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(
      'The server did not answer.',
      0,
      'unreachable',
      'Check that Archon is running, then try again.',
      null,
    );
  }
  const payload: unknown = await response.json().catch(() => null);
  if (!response.ok) throw errorFrom(response.status, payload);
  return payload as T;
}

function csrfHeader(): Record<string, string> {
  const token = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return token ? { 'X-CSRFToken': decodeURIComponent(token) } : {};
}

export function errorFrom(status: number, payload: unknown): ApiError {
  const detail = (payload as { detail?: unknown } | null)?.detail;
  if (detail && typeof detail === 'object' && 'error' in detail) {
    const { error, code, hint, field } = detail as Record<string, string | null | undefined>;
    // A fault inside a list is named like `include.0`: the form has one field for the list.
    return new ApiError(error ?? '', status, code ?? 'error', hint || null, field?.split('.')[0] ?? null);
  }
  return new ApiError(
    `The server answered with status ${status}.`,
    status,
    'unexpected',
    status >= 500 ? 'The server log names the reason.' : null,
    null,
  );
}

export function query(params: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(params).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]));
  return search.size ? `?${search}` : '';
}
