# SPDX-License-Identifier: Apache-2.0
"""Items after they were published: pages, retracting and purging, the archive, and what a restart leaves.

    pubsub_items_test.py XYLEMD prosody|ejabberd
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import pubsub, stage  # noqa: E402
from tests.xmpp.pubsub import BUS, EVENT, ITEMS, MAM, NS, OWNER, RSM, fields  # noqa: E402


class ItemsTest(pubsub.Case):
    # --- 7. Retrieving -------------------------------------------------------------------------

    async def paged(self, client, node, **values):
        answer = await self.ok(self.items(client, node, beside=self.page(**values)))
        found = answer.find(f".//{{{RSM}}}set")
        first = found.find(f"{{{RSM}}}first")
        return ([i.get("id") for i in answer.iter(f"{{{NS}}}item")], first.get("index") if first is not None else None,
                found.findtext(f"{{{RSM}}}first"), found.findtext(f"{{{RSM}}}last"), found.findtext(f"{{{RSM}}}count"))

    async def test_701_pages(self):
        await self.filled("pages", 10)
        self.assertEqual(await self.paged(self.bob, "pages", max=4), (["i0", "i1", "i2", "i3"], "0", "i0", "i3", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=4, after="i3"),
                         (["i4", "i5", "i6", "i7"], "4", "i4", "i7", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=4, after="i9"), ([], None, None, None, "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=4, before=""), (["i6", "i7", "i8", "i9"], "6", "i6", "i9", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=2, before="i6"), (["i4", "i5"], "4", "i4", "i5", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=2, index=5), (["i5", "i6"], "5", "i5", "i6", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=0), ([], None, None, None, "10"))
        await self.refused(self.items(self.bob, "pages", beside=self.page(max=4, after="no-such")), "cancel/item-not-found")
        self.assertEqual(await self.ids(self.bob, "pages", extra=" max_items='3'"), ["i7", "i8", "i9"])
        self.assertEqual(await self.ids(self.bob, "pages", inner="<item id='i4'/><item id='no'/><item id='i2'/>"), ["i4", "i2"])
        await self.refused(self.items(self.bob, "pages", extra=" max_items='0'"), "modify/bad-request")
        self.assertEqual(len(await self.ids(self.bob, "pages", extra=" max_items=''")), 10)  # as xmpp4r says: all
        # Before what is asked for may stand what belongs to it, and what nobody knows.
        answer = await self.ok(self.get(self.bob, f"<x xmlns='urn:x'/>{self.page(max=2)}<items node='pages'/>"))
        self.assertEqual([i.get("id") for i in answer.iter(f"{{{NS}}}item")], ["i0", "i1"])
        for nameless in "<item/>", "<item id=''/>", "<item id='i4'/><item/>":
            await self.refused(self.items(self.bob, "pages", inner=nameless), "modify/bad-request/item-required")

    async def test_702_more_than_a_stanza_takes(self):
        await self.ok(self.create(self.alice, "large", access_model="open"))
        for i in range(12):
            await self.ok(self.publish(self.alice, "large", f"<item id='b{i}'><a xmlns='u'>{'x' * 40000}</a></item>"))
        answer = await self.ok(self.items(self.bob, "large"))
        found = [i.get("id") for i in answer.iter(f"{{{NS}}}item")]
        self.assertLess(len(found), 12)
        self.assertEqual(found[-1], "b11")
        self.assertEqual(answer.find(f".//{{{RSM}}}count").text, "12")
        seen, after = [], {}
        while len(seen) < 12:
            ids = (await self.paged(self.bob, "large", max=12, **after))[0]
            self.assertTrue(ids)
            seen += ids
            after = {"after": ids[-1]}
        self.assertEqual(seen, [f"b{i}" for i in range(12)])

    # --- 8. Retracting, purging -------------------------------------------------------------------

    async def test_801_retract(self):
        await self.filled("re", 3)
        await self.ok(self.affiliate(self.alice, "re", (self.carol.bare, "publisher")))
        await self.ok(self.subscribe(self.bob, "re"))
        await self.refused(self.set(self.alice, "<retract><item id='i0'/></retract>"), "modify/bad-request/nodeid-required")
        await self.refused(self.set(self.alice, "<retract node='re'/>"), "modify/bad-request/item-required")
        await self.refused(self.set(self.alice, "<retract node='re'><item/></retract>"), "modify/bad-request/item-required")
        await self.refused(self.retract(self.alice, "re", "no-such"), "cancel/item-not-found")
        await self.refused(self.retract(self.alice, "no-such", "i0"), "cancel/item-not-found")
        await self.refused(self.retract(self.bob, "re", "i0"), "auth/forbidden")
        await self.refused(self.retract(self.carol, "re", "i0"), "auth/forbidden")  # not hers
        await self.ok(self.publish(self.carol, "re", "<item id='hers'><a xmlns='u'/></item>"))
        await self.ok(self.retract(self.carol, "re", "hers"))
        await self.ok(self.retract(self.alice, "re", "i1"))
        for item in ("hers", "i1"):
            await self.event(self.bob, lambda e, i=item: [r.get("id") for r in e.iter(f"{{{EVENT}}}retract")] == [i])
        self.assertEqual(await self.ids(self.bob, "re"), ["i0", "i2"])
        await self.refused(self.retract(self.alice, "re", "i1"), "cancel/item-not-found")
        await self.ok(self.configure(self.alice, "re", notify_retract="0"))
        await self.ok(self.retract(self.alice, "re", "i0"))
        await self.ok(self.retract(self.alice, "re", "i2", " notify='true'"))
        event = await self.event(self.bob, lambda e: next(e.iter(f"{{{EVENT}}}retract"), None) is not None)
        self.assertEqual(next(event.iter(f"{{{EVENT}}}retract")).get("id"), "i2")

    async def test_804_several_at_once(self):
        """All or none (XEP-0060, 12.11)."""
        await self.filled("batch", 6, max_items="6")
        await self.ok(self.affiliate(self.alice, "batch", (self.carol.bare, "publisher")))
        await self.ok(self.subscribe(self.bob, "batch"))

        def retract(client, *ids):
            return self.set(client, f"<retract node='batch'>{''.join(f'<item id={i!r}/>' for i in ids)}</retract>")
        for ids, expected in ((("i0", "no-such", "i1"), "cancel/item-not-found"), (("i0", ""), "modify/bad-request/item-required"),
                              ([f"i{i}" for i in range(101)], "cancel/not-allowed/max-items-exceeded")):
            await self.refused(retract(self.alice, *ids), expected)
        await self.ok(self.publish(self.carol, "batch", "<item id='hers'><a xmlns='u'/></item>"))  # i0 goes for it
        await self.refused(retract(self.carol, "hers", "i1"), "auth/forbidden")
        self.assertEqual(await self.ids(self.bob, "batch"), ["i1", "i2", "i3", "i4", "i5", "hers"])
        await self.ok(retract(self.alice, "i1", "hers", "i3"))
        self.assertEqual(await self.ids(self.bob, "batch"), ["i2", "i4", "i5"])
        for item in ("i1", "hers", "i3"):
            await self.event(self.bob, lambda e, i=item: i in [r.get("id") for r in e.iter(f"{{{EVENT}}}retract")])
        # More than the node keeps cannot be published at once; as many as it keeps can.
        items = [f"<item id='n{i}'><a xmlns='u'/></item>" for i in range(7)]
        await self.refused(self.publish(self.alice, "batch", *items), "cancel/not-allowed/max-items-exceeded")
        self.assertEqual(await self.ids(self.bob, "batch"), ["i2", "i4", "i5"])
        await self.ok(self.publish(self.alice, "batch", *items[:6]))
        self.assertEqual(await self.ids(self.bob, "batch"), [f"n{i}" for i in range(6)])

    async def test_802_nobody_sees_an_item_after_its_end(self):
        await self.ok(self.create(self.alice, "race", access_model="open"))
        await self.ok(self.subscribe(self.bob, "race"))
        for i in range(30):
            await self.ok(self.publish(self.alice, "race", f"<item id='r{i}'><a xmlns='u'/></item>"))
            await self.ok(self.retract(self.alice, "race", f"r{i}"))
        self.assertEqual(await self.ids(self.bob, "race"), [])
        ended, late = set(), []
        while len(ended) < 30:
            event = await self.event(self.bob, lambda e: e[0].get("node") == "race")
            late += [i.get("id") for i in event.iter(f"{{{EVENT}}}item") if i.get("id") in ended]
            ended |= {r.get("id") for r in event.iter(f"{{{EVENT}}}retract")}
        self.assertEqual(late, [])

    async def test_803_purge(self):
        await self.filled("pu", 5)
        await self.ok(self.subscribe(self.bob, "pu"))
        await self.ok(self.set(self.alice, "<purge node='pu'/>", OWNER))
        await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}purge" and e[0].get("node") == "pu")
        self.assertEqual(await self.ids(self.bob, "pu"), [])
        await self.ok(self.publish(self.alice, "pu", "<item id='i1'><a xmlns='u'/></item>"))
        self.assertEqual(await self.ids(self.bob, "pu"), ["i1"])

    # --- 9. The archive (XEP-0313, XEP-0442) -----------------------------------------------------------

    async def test_901_archive(self):
        await self.filled("arc", 10)
        results, fin = await self.archive(self.bob, "arc")
        ids = [r[0] for r in results]
        self.assertEqual([r[1] for r in results], [f"i{i}" for i in range(10)])
        self.assertEqual((fin.get("complete"), fin.findtext(f".//{{{RSM}}}count")), ("true", "10"))
        results, fin = await self.archive(self.bob, "arc", self.page(max=4))
        self.assertEqual(([r[1] for r in results], fin.get("complete")), (["i0", "i1", "i2", "i3"], None))
        results, fin = await self.archive(self.bob, "arc", self.page(max=4, after=fin.findtext(f".//{{{RSM}}}last")))
        self.assertEqual([r[1] for r in results], ["i4", "i5", "i6", "i7"])
        results, fin = await self.archive(self.bob, "arc", self.page(max=4, after=fin.findtext(f".//{{{RSM}}}last")))
        self.assertEqual(([r[1] for r in results], fin.get("complete")), (["i8", "i9"], "true"))
        results, fin = await self.archive(self.bob, "arc", self.page(max=3, before=""))
        self.assertEqual([r[1] for r in results], ["i7", "i8", "i9"])
        results, _ = await self.archive(self.bob, "arc", self.page(max=3, before=""), "<flip-page/>")
        self.assertEqual([r[1] for r in results], ["i9", "i8", "i7"])
        results, _ = await self.archive(self.bob, "arc", after_id=ids[2], before_id=ids[6])
        self.assertEqual([r[1] for r in results], ["i3", "i4", "i5"])
        results, _ = await self.archive(self.bob, "arc", ids=[ids[7], ids[1], ids[7]])
        self.assertEqual([r[1] for r in results], ["i1", "i7"])  # always in the order of the archive
        # From and to the time at which a result is stamped, it is among them.
        stamp = next(r[2] for r in results if r[1] == "i7").find(".//{urn:xmpp:delay}delay").get("stamp")
        results, _ = await self.archive(self.bob, "arc", start=stamp, end=stamp)
        self.assertIn("i7", [r[1] for r in results])
        results, _ = await self.archive(self.bob, "arc", end=stamp)
        self.assertEqual([r[1] for r in results][:8], [f"i{i}" for i in range(8)])
        results, _ = await self.archive(self.bob, "arc", start="2099-01-01T00:00:00Z")
        self.assertEqual(results, [])
        results, _ = await self.archive(self.bob, "arc", end="2099-01-01T00:00:00Z", start="2020-01-01T00:00:00Z")
        self.assertEqual(len(results), 10)

    async def test_902_archive_errors(self):
        await self.filled("arc2", 2)
        query = f"<query xmlns='{MAM}' node='arc2'>{{}}</query>"
        await self.refused(self.bob.iq("set", BUS, query.format(self.page(after="0-99999999"))), "cancel/item-not-found")
        await self.refused(self.bob.iq("set", BUS, query.format(self.page(after="what"))), "cancel/item-not-found")
        await self.refused(self.bob.iq("set", BUS, f"<query xmlns='{MAM}' node='no-such'/>"), "cancel/item-not-found")
        await self.refused(self.bob.iq("set", BUS, f"<query xmlns='{MAM}'/>"), "modify/bad-request/nodeid-required")
        await self.refused(self.dave.iq("set", BUS, f"<query xmlns='{MAM}' node='declared'/>"), "cancel/not-allowed/closed-node")
        await self.refused(self.mallory.iq("set", BUS, f"<query xmlns='{MAM}' node='arc2'/>"), "auth/forbidden")
        form_of = fields(await self.ok(self.bob.iq("get", BUS, f"<query xmlns='{MAM}'/>")))
        self.assertLessEqual({"with", "start", "end", "before-id", "after-id", "ids"}, set(form_of))
        answer = await self.ok(self.bob.iq("get", BUS, f"<metadata xmlns='{MAM}' node='arc2'/>"))
        start, end = answer.find(f".//{{{MAM}}}start"), answer.find(f".//{{{MAM}}}end")
        self.assertNotEqual(start.get("id"), end.get("id"))

    # --- 10. It lasts --------------------------------------------------------------------------------------

    async def test_990_everything_survives_a_restart(self):
        await self.filled("lasting", 4, title="Lasting", max_items="4")
        await self.ok(self.publish(self.alice, "lasting", "<item id='i4'><a xmlns='u'>4</a></item>"))
        await self.ok(self.affiliate(self.alice, "lasting", (self.dave.bare, "publisher")))
        mine = self.subscription(await self.ok(self.subscribe(self.bob, "lasting", include_body="1")))
        await self.ok(self.retract(self.alice, "lasting", "i3"))
        await self.ok(self.create(self.alice, "gone", access_model="open"))
        await self.ok(self.publish(self.alice, "gone", "<item id='g'><a xmlns='u'/></item>"))
        await self.ok(self.delete(self.alice, "gone"))
        self.stage.bus.kill()  # what was answered is on disk
        self.stage.bus.mark()
        self.stage.start_bus()
        self.assertEqual(await self.ids(self.bob, "lasting"), ["i1", "i2", "i4"])
        found = fields(await self.ok(self.get(self.alice, "<configure node='lasting'/>", OWNER)))
        self.assertEqual((found["title"], found["max_items"]), ("Lasting", "4"))
        listed = await self.ok(self.get(self.bob, "<subscriptions node='lasting'/>"))
        self.assertEqual([s.get("subid") for s in listed.iter(f"{{{NS}}}subscription")], [mine.get("subid")])
        found = fields(await self.ok(self.get(self.bob, f"<options node='lasting' jid='{self.bob.bare}'/>")))
        self.assertEqual(found["include_body"], "1")
        await self.ok(self.publish(self.dave, "lasting", "<item id='after'><a xmlns='u'/></item>"))
        await self.told(self.bob, "lasting", "after")
        self.assertEqual(await self.ids(self.bob, "lasting"), ["i1", "i2", "i4", "after"])
        await self.refused(self.items(self.bob, "gone"), "cancel/item-not-found")
        await self.ok(self.create(self.alice, "gone", access_model="open"))
        self.assertEqual(await self.ids(self.bob, "gone"), [])

    async def test_995_lists_longer_than_a_stanza(self):
        async def all_of(client, ask, row, key):
            """The rows of all pages, and how many pages there were."""
            seen, after, pages = [], "", 0
            while True:
                answer = await self.ok(client.iq("get", BUS, ask(self.page(after=after) if after else "")))
                rows = [r.get(key) for r in answer.iter(row)]
                part = answer.find(f".//{{{RSM}}}set")
                seen, pages = seen + rows, pages + 1
                if part is None or len(seen) == int(part.findtext(f"{{{RSM}}}count")):
                    return seen, pages
                self.assertTrue(rows)
                after = part.findtext(f"{{{RSM}}}last")
        await self.ok(self.create(self.alice, "crowd"))
        people = [f"{'x' * 150}{i}@example.com" for i in range(1500)]
        for start in range(0, 1500, 500):
            rows = "".join(f"<subscription jid='{p}' subscription='subscribed'/>" for p in people[start:start + 500])
            await self.ok(self.set(self.alice, f"<subscriptions node='crowd'>{rows}</subscriptions>", OWNER))
        seen, pages = await all_of(
            self.alice, lambda page: f"<pubsub xmlns='{OWNER}'><subscriptions node='crowd'/>{page}</pubsub>",
            f"{{{OWNER}}}subscription", "jid")
        self.assertEqual((sorted(seen), pages > 1), (sorted(people), True))
        names = [f"{'n' * 100}{i:04}" for i in range(1300)]
        for name in names:
            await self.ok(self.create(self.alice, name))
        seen, pages = await all_of(self.alice, lambda page: f"<query xmlns='{ITEMS}'>{page}</query>", f"{{{ITEMS}}}item", "node")
        self.assertEqual((set(names) <= set(seen), len(seen) == len(set(seen)), pages > 1), (True, True, True))
        await self.refused(self.alice.iq("get", BUS, f"<query xmlns='{ITEMS}'>{self.page(after='no-such')}</query>"),
                           "cancel/item-not-found")
        await self.ok(self.get(self.alice, "<affiliations/>"))


if __name__ == "__main__":
    stage.run(ItemsTest)
