// Requests to the place that this page came from, and to no other.

const KEY = "fastetl-pad-token";

let secret = null;

/** Take the token of the page's address. It stands behind #, which browsers send to nobody. */
export function startToken() {
  // Kept for this tab, so that a reload works.
  const givenToken = new URLSearchParams(location.hash.slice(1)).get("token");
  if (givenToken) {
    sessionStorage.setItem(KEY, givenToken);
    history.replaceState(null, "", location.pathname);
  }
  secret = sessionStorage.getItem(KEY);
}

/** fetch with the token; throws an Error with the one line that the server answered, or the status. */
export async function authorized(path, options = {}) {
  const headers = { ...options.headers, ...(secret ? { authorization: `Bearer ${secret}` } : {}) };
  const response = await fetch(new URL(path, import.meta.url), { ...options, headers }).catch((error) => {
    throw Object.assign(new Error(error.message), { gone: true });
  });
  if (!response.ok) {
    // Other hosts answer with a page.
    const isLine = response.headers.get("content-type")?.startsWith("text/plain");
    const line = isLine ? (await response.text()).trim() : "";
    const error = new Error(line || `${path}: ${response.status} ${response.statusText}`);
    error.status = response.status;
    throw error;
  }
  return response;
}

export const fetchJson = async (path) => (await authorized(path)).json();
