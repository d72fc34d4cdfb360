// SPDX-License-Identifier: Apache-2.0
// Follows a topic of the bus from a browser, by the library `stanza` over the server's WebSocket. What it has
// seen lies in window.seen, for the test to ask.
import { createClient } from 'stanza';

window.seen = { state: 'loaded', ids: [], data: [], errors: [] };

window.follow = ({ jid, password, websocket, service, node }) => {
	const client = createClient({ jid, password, transports: { websocket, bosh: false } });
	client.on('session:started', async () => {
		try {
			client.sendPresence();
			await client.subscribeToNode(service, { node, jid });
			window.seen.state = 'following';
		} catch (error) {
			window.seen.errors.push(JSON.stringify(error));
		}
	});
	client.on('pubsub:published', message => {
		for (const item of message.pubsub.items.published) {
			window.seen.ids.push(item.id);
			window.seen.data.push(item.content && item.content.json ? item.content.json.id : null);
		}
	});
	for (const name of ['auth:failed', 'stream:error', 'disconnected']) {
		client.on(name, what => window.seen.errors.push(`${name} ${JSON.stringify(what)}`));
	}
	client.connect();
};
