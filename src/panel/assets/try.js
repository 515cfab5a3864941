// The page where calls are tried: finds a credential, shows the document that it may see, and
// authorises (and signs) what is sent.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const say = (words, bad) => { $("said").textContent = words; $("said").classList.toggle("fault", Boolean(bad)); };
  const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const bytes = (text) => new TextEncoder().encode(text);

  // A page's session: a fresh access token for the copy that was chosen.
  const fromSession = async () => {
    const address = $("copy")?.value;
    if (!address) return;
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error("Your session is over; log in again.");
    const copy = await answer.json();
    $("token").value = copy.access_token;
    $("key").value = copy.api_key;
  };

  const authorise = async (request) => {
    const url = new URL(request.url, location.href);
    if (url.origin !== location.origin) return request;
    request.headers = request.headers || {};
    // A document of the platform says itself what its calls need.
    if ($("token").value) request.headers.Authorization = `Bearer ${$("token").value.trim()}`;
    if ($("key").value) request.headers["Api-Key"] = $("key").value.trim();
    const secret = $("secret").value;
    if (secret) {
      const body = typeof request.body === "string" ? request.body : "";
      const now = String(Math.floor(Date.now() / 1000));
      const digest = hex(await crypto.subtle.digest("SHA-256", bytes(body)));
      const text = [request.method || "GET", url.pathname, url.search.slice(1), digest, now].join("\n");
      const key = await crypto.subtle.importKey("raw", bytes(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      request.headers["X-Timestamp"] = now;
      request.headers["X-Signature"] = hex(await crypto.subtle.sign("HMAC", key, bytes(text)));
    }
    return request;
  };

  const show = async () => {
    say("Reading the document ..");
    await fromSession();
    const platform = $("calls").value === "platform";
    const request = { url: platform ? "/openapi.json" : "/api/v1/openapi.json", method: "GET", headers: {} };
    if (!platform) await authorise(request);
    const answer = await fetch(request.url, { headers: request.headers });
    const spec = await answer.json();
    if (!answer.ok) throw new Error(`${spec.title}: ${spec.detail}`);
    // Requests go to this very host, whatever name the server has for itself.
    spec.servers = (spec.servers || [{ url: "/" }]).map((server) => ({ url: new URL(server.url, location.href).pathname }));
    $("ui").textContent = "";
    SwaggerUIBundle({
      domNode: $("ui"),
      spec,
      docExpansion: "none",
      defaultModelsExpandDepth: 0,
      deepLinking: false,
      tryItOutEnabled: true,
      validatorUrl: null,
      syntaxHighlight: { activated: false },
      requestInterceptor: async (sent) => {
        try { await fromSession(); } catch (error) { say(error.message, true); }
        return authorise(sent);
      },
    });
    say(`${Object.keys(spec.paths).length} addresses.`);
  };

  $("credentials").addEventListener("submit", (event) => {
    event.preventDefault();
    show().catch((error) => say(error.message, true));
  });
  $("copy")?.addEventListener("change", () => {
    if (!$("copy").value) { $("token").value = ""; $("key").value = ""; }
  });
  if ($("copy")?.value || $("token").value) show().catch((error) => say(error.message, true));
})();
