"""What the player must show, worked out a second time: naively, from the first step, with plain lists."""

from __future__ import annotations

from typing import Any

CPUS = "abcdefgh"


class Shown:
    """The state after `step` of a payload that has one pool."""

    def __init__(self, payload: dict[str, Any], step: int) -> None:
        self.payload, self.step = payload, payload["steps"][step]
        self.pool = payload["pools"][0]
        changes = payload["begin"] + [change for past in payload["steps"][: step + 1] for change in past["changes"]]
        self.entries = {c[1]: c[2] for c in changes if c[0] == "entry"}
        self.page_of = {c[1]: c[2]["page"] for c in changes if c[0] == "entry" and c[2]}
        self.entries = {id: entry for id, entry in self.entries.items() if entry}
        pages = dict(change[1:] for change in changes if change[0] == "page")
        self.pages = {key: page for key, page in pages.items() if page is not None}
        self.lru: list[int] = []
        for kind, _, id in (c for c in changes if c[0] in ("lru+", "lru-")):
            self.lru = [other for other in self.lru if other != id]
            if kind == "lru+":
                self.lru = [id, *self.lru]
        self.out = next((c[1] for c in reversed(changes) if c[0] == "out"), None)
        self.size = next((c[1] for c in reversed(changes) if c[0] == "size"), 0)
        self.full = next((c[1] for c in reversed(changes) if c[0] == "full"), False)
        self.counters = dict(payload["counters"])
        for change in changes:
            if change[0] == "counters":
                self.counters |= change[1]
        self.ram = {c[1]: c[2] for c in changes if c[0] == "ram"}
        self.disk: set[int] = set()
        for kind, page, *rest in changes:  # a freed page's bytes on the device are nobody's
            if kind == "ram" and rest == ["freed"]:
                self.disk.discard(page)
            elif kind == "disk":
                self.disk.add(page)

    @property
    def by_page(self) -> bool:
        return bool(self.pool["lru_of"] == "pages")

    @property
    def listed_ids(self) -> list[int]:
        """What the LRU's drawing shows, from left to right: the list, then what steps out of it."""
        return [*self.lru, *([] if self.out is None or self.out in self.lru else [self.out])]

    @property
    def cpus(self) -> list[dict[str, Any]]:
        alone = {"task": self.operation, "state": "running", "stack": self.step["stack"], "holds": self.step["holds"]}
        return self.step["cpus"] or [{**alone, "waits": None, "holder": None}]

    @property
    def operation(self) -> str:
        return str(self.payload["operations"][self.step["operation"]]["text"])

    def name(self, id: int) -> str:
        return f"{self.page_of[id]}" if id in self.entries else f"{self.page_of[id]} (freed)"

    def listed(self, id: int) -> str:
        return str(self.pages[id]["number"]) if self.by_page else self.name(id)

    def where(self, page: int) -> str:
        state = self.ram.get(page)
        if state in ("present", "freed"):
            return {"present": "in RAM", "freed": "given up"}[state]
        if any(entry["page"] == page and entry["linked"] for entry in self.entries.values()):
            return "in zswap"
        if page in self.disk:
            return "on the swap device"
        return "nowhere" if state else "not written yet"

    def cpu(self, cpu: dict[str, Any]) -> list[str]:
        sources = self.payload["sources"]
        calls = " \u203a ".join(sources[source]["function"] for source, _ in cpu["stack"])
        lines = [sources[source]["lines"][line].strip() for source, line in cpu["stack"]]
        waits = f"{cpu['waits']} of CPU {CPUS[cpu['holder']]}" if cpu["waits"] else ""
        return [cpu["task"], cpu["state"], calls, lines[-1] if lines else "", ", ".join(cpu["holds"]), waits]

    def tables(self, pages: list[int]) -> dict[str, list[list[str]]]:
        """The rows of each table of the player's twin; `pages`: every page the whole run speaks of."""
        home = {id: page["number"] for page in self.pages.values() for id, _, _ in page["objects"]}
        payload = self.payload
        full = "yes" if self.full else "no"
        lru = f"LRU of {self.pool['backend']} pages" if self.by_page else "LRU"
        return {
            "Entries": [
                [
                    str(entry["page"]), str(entry["offset"]), str(entry["length"]), str(entry["refcount"]),
                    "yes" if entry["linked"] else "no", str(home.get(id, "")),
                ]
                for id, entry in sorted(self.entries.items())
            ],
            lru: [[", ".join(map(self.listed, self.lru)), "" if self.out is None else self.listed(self.out)]],
            "Pool": [
                [
                    str(page["number"]), str(page["units"]),
                    "; ".join(f"{self.name(id)}: {first}, {units}" for id, first, units in page["objects"]),
                ]
                for _, page in sorted(self.pages.items())
            ],
            "Size": [[str(self.size), str(payload["limit"]), str(payload["accept"]), full]],
            "CPUs": [[CPUS[number], *self.cpu(cpu)] for number, cpu in enumerate(self.cpus)],
            "Pages": [[str(page), self.where(page)] for page in pages],
            "Counters": [[name, f"{value:,}"] for name, value in self.counters.items()],
        }  # fmt: skip


def all_pages(payload: dict[str, Any]) -> list[int]:
    """Every page of which any step speaks."""
    changes = payload["begin"] + [change for step in payload["steps"] for change in step["changes"]]
    spoken = {c[1] for c in changes if c[0] == "ram"} | {c[2]["page"] for c in changes if c[0] == "entry" and c[2]}
    return sorted(spoken)
