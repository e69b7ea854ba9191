"""Notebook 04, exercises: the right functions, and wrong ones that a student may write."""


def chunks_of(length):
    return (8 + length + 63) // 64


def take_unbuddied(self, chunks):
    for free in range(chunks, 63):
        if self.unbuddied[free]:
            page = list(self.unbuddied[free])[-1]
            self.unlist(page)
            return page
    return None


def no_header(length):
    return (length + 63) // 64


def rounded_down(length):
    return (8 + length) // 64


def usable_64(self, chunks):
    for free in range(chunks - 1, 63):
        for page in list(self.unbuddied[free])[::-1]:
            if 64 - page.first_chunks - page.last_chunks >= chunks:
                self.unlist(page)
                return page
    return None


def still_listed(self, chunks):
    for free in range(chunks, 63):
        if self.unbuddied[free]:
            return list(self.unbuddied[free])[-1]
    return None


def lowest_page(self, chunks):
    for number in sorted(self.numbered):
        page = self.numbered[number]
        alone = page.first is None or page.last is None
        if alone and page.free_chunks >= chunks:
            self.unlist(page)
            return page
    return None


def oldest_of_list(self, chunks):
    for free in range(chunks, 63):
        for page in self.unbuddied[free]:
            self.unlist(page)
            return page
    return None


def worst_fit(self, chunks):
    for free in range(62, chunks - 1, -1):
        if self.unbuddied[free]:
            page = list(self.unbuddied[free])[-1]
            self.unlist(page)
            return page
    return None


WRONG = {
    "no-header": (no_header, take_unbuddied), "whole-chunks": (rounded_down, take_unbuddied),
    "usable-64": (chunks_of, usable_64), "still-listed": (chunks_of, still_listed),
    "lowest-page": (chunks_of, lowest_page), "oldest-of-list": (chunks_of, oldest_of_list),
    "worst-fit": (chunks_of, worst_fit),
}  # fmt: skip
