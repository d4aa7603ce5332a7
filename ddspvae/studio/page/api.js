// The server's answers, or an error with the sentence of the command line.

async function answer(response) {
  if (response.ok) return response.json();
  const text = await response.text();
  throw new Error(text.length && text.length < 2000 ? text : `The server answered with ${response.status}.`);
}

async function fetched(...asked) {
  try {
    return await answer(await fetch(...asked));
  } catch (error) {
    if (error instanceof TypeError) throw new Error("The studio's server does not answer. Start it again; nothing that was saved is lost.");
    throw error;
  }
}

export const get = (path, query = {}) => fetched(Object.keys(query).length ? `${path}?${new URLSearchParams(query)}` : path);
export const post = (path, content = {}) => fetched(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) });
export const upload = (path, query, file) => fetched(`${path}?${new URLSearchParams(query)}`, { method: "POST", body: file });
export const socketAddress = (path) => `ws://${location.host}${path}`;
