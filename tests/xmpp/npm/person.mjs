// SPDX-License-Identifier: Apache-2.0
// A person on @xmpp/client: person.mjs PORT USER ENDPOINT TEXT
// Says TEXT to ENDPOINT with a request for a receipt, prints what comes as lines of JSON, and gives a receipt for
// each message that asks for one. Ends when its input does.
import { client, xml } from "@xmpp/client";

const [port, username, endpoint, text] = process.argv.slice(2);
const xmpp = client({ service: `xmpp://127.0.0.1:${port}`, domain: "example.com", username, password: "pw" });
const tell = (what) => console.log(JSON.stringify(what));

xmpp.on("error", (error) => tell({ error: String(error) }));
xmpp.on("stanza", (stanza) => {
  if (!stanza.is("message")) return;
  const received = stanza.getChild("received", "urn:xmpp:receipts");
  if (received) {
    tell({ receipt: received.attrs.id, from: stanza.attrs.from });
    return;
  }
  if (!stanza.getChild("body")) return;
  tell({ body: stanza.getChildText("body"), thread: stanza.getChildText("thread"), from: stanza.attrs.from });
  if (stanza.getChild("request", "urn:xmpp:receipts")) {
    xmpp.send(xml("message", { to: stanza.attrs.from },
      xml("received", { xmlns: "urn:xmpp:receipts", id: stanza.attrs.id })));
  }
});
// Nothing is asked for before <enabled/>: @xmpp/client counts a stanza that comes before it and in one piece with
// it, acknowledges more than was sent (XEP-0198), and the server ends the stream.
xmpp.on("nonza", async (nonza) => {
  if (!nonza.is("enabled", "urn:xmpp:sm:3")) return;
  await xmpp.send(xml("presence"));
  await xmpp.send(xml("message", { to: endpoint, type: "chat", id: "n1" }, xml("body", {}, text),
    xml("thread", {}, "t-npm"), xml("request", { xmlns: "urn:xmpp:receipts" })));
  tell({ online: true });
});
process.stdin.on("end", () => xmpp.stop().then(() => process.exit(0))).resume();
xmpp.start().catch((error) => tell({ error: String(error) }));
