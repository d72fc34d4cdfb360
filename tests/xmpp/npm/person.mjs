// SPDX-License-Identifier: Apache-2.0
// A person on xmpp.js (@xmpp/client): person.mjs PORT USER ENDPOINT TEXT
// Says TEXT to ENDPOINT with a request for a receipt, prints what comes as lines of JSON, and gives a receipt for
// each message that asks for one. Ends when its input does.
import { Client, xml } from "@xmpp/client-core";
import iqCaller from "@xmpp/iq/caller.js";
import middleware from "@xmpp/middleware";
import resourceBinding from "@xmpp/resource-binding";
import sasl from "@xmpp/sasl";
import scramSha1 from "@xmpp/sasl-scram-sha-1";
import sessionEstablishment from "@xmpp/session-establishment";
import streamFeatures from "@xmpp/stream-features";
import streamManagement from "@xmpp/stream-management";
import tcp from "@xmpp/tcp";

const [port, username, endpoint, text] = process.argv.slice(2);
const xmpp = new Client({ service: `xmpp://127.0.0.1:${port}`, domain: "example.com" });

// As @xmpp/client puts them together: their order is their priority.
const parts = { entity: xmpp };
tcp(parts);
parts.middleware = middleware(parts);
parts.streamFeatures = streamFeatures(parts);
parts.iqCaller = iqCaller(parts);
scramSha1(sasl(parts, { username, password: "pw" }));
streamManagement(parts);
resourceBinding(parts);
sessionEstablishment(parts);

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
// Nothing is asked for before <enabled/>: xmpp.js counts a stanza that comes before it and in one piece with
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
