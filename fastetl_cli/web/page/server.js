// Requests to the place that this page came from, and to no other.

const KEY = "fastetl-pad-token";

function token() {
  // It stands behind #, which browsers send to nobody; kept for this tab, so that a reload works.
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY);
}

const secret = token();

/** fetch with the token; throws an Error with the one line that the server answered. */
export async function authorized(path, options = {}) {
  const headers = { ...options.headers, ...(secret ? { authorization: `Bearer ${secret}` } : {}) };
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    throw Object.assign(new Error(error.message), { gone: true });
  });
  if (!response.ok) {
    const error = new Error((await response.text()).trim() || `${response.status}`);
    error.status = response.status;
    throw error;
  }
  return response;
}

export const fetchJson = async (path) => (await authorized(path)).json();
