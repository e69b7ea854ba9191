/*
 * pagegen.h - page contents that need not be recorded.
 *
 * A page's 4096 bytes depend on (seed, page, version) and on nothing else, so a
 * recording only names these three. pagegen.py gives the same bytes in Python.
 */
#ifndef PAGEGEN_H
#define PAGEGEN_H
#include <stdint.h>
#include <string.h>

#define PAGE_BYTES 4096

enum kind { ZERO, SAME, TEXT, RECORDS, PARTIAL, SPARSE, PERIOD, RANDOM };

/* how many of 100 pages are of each kind */
static const uint32_t share[] = { 5, 5, 35, 20, 15, 8, 7, 5 };

static uint64_t mix(uint64_t z)
{
	z += 0x9E3779B97F4A7C15ull;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
	return z ^ (z >> 31);
}

/* splitmix64, which anybody can write down again in any language */
static uint64_t next(uint64_t *state)
{
	uint64_t z = mix(*state);

	*state += 0x9E3779B97F4A7C15ull;
	return z;
}

static enum kind kind_of(uint32_t seed, uint32_t page)
{
	uint32_t r = mix(((uint64_t)seed << 32) ^ page) % 100, kind = 0;

	while (r >= share[kind])
		r -= share[kind++];
	return kind;
}

static void put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = v >> (8 * i);
}

/* one 8-byte word, over and over: zswap keeps such a page without compressing it */
static void fill_same(uint8_t *b, uint64_t *s)
{
	uint64_t word = next(s) | 1;

	for (int i = 0; i < PAGE_BYTES; i += 8)
		put64(b + i, word);
}

/* words out of a vocabulary of 8 to 512, the first of them much more often */
static void fill_text(uint8_t *b, uint64_t *s)
{
	uint32_t bits = 3 + next(s) % 7, mask = (1u << bits) - 1;

	for (int i = 0; i < PAGE_BYTES; ) {
		uint64_t a = next(s), word = (a & mask) * ((a >> 9) & mask) / (mask + 1);
		uint64_t letters = mix(0x7E47 + word);
		uint32_t length = 2 + letters % 9;

		for (uint32_t n = 0; n < length && i < PAGE_BYTES; n++)
			b[i++] = 'a' + (letters >> (6 + 5 * n)) % 26;
		if (i < PAGE_BYTES)
			b[i++] = (a >> 20) % 11 ? ' ' : '\n';
	}
}

/* records of 32 bytes with pointers, counts and flags, as a heap has; then zeros */
static void fill_records(uint8_t *b, uint64_t *s, uint32_t version)
{
	uint64_t r = next(s);
	uint32_t used = 32 + r % 125 * 32;

	for (uint32_t i = 0; i < used; i += 32) {
		uint64_t a = next(s);

		put64(b + i, 0x00007f0000000000ull + (r & 0xfff000) + (a & 0xffff) * 16);
		put64(b + i + 8, i / 32 + version);
		put64(b + i + 16, a >> 16 & 0xff);
		if ((a >> 24 & 7) == 0)
			put64(b + i + 24, a);
	}
}

static void fill_random(uint8_t *b, uint64_t *s, uint32_t length)
{
	for (uint32_t i = 0; i < length; i += 8)
		put64(b + i, next(s));
}

/* 8 to 134 random words among zeros */
static void fill_sparse(uint8_t *b, uint64_t *s)
{
	for (uint32_t n = 8 + next(s) % 127; n; n--) {
		uint64_t word = next(s);

		put64(b + (word & 511) * 8, word);
	}
}

/* a random string of 9 to 208 bytes, over and over */
static void fill_period(uint8_t *b, uint64_t *s)
{
	uint32_t length = 9 + next(s) % 200;

	for (uint32_t i = 0; i < PAGE_BYTES; i++)
		b[i] = i < length ? next(s) : b[i - length];
}

static void fill_page(uint8_t *b, uint32_t seed, uint32_t page, uint32_t version)
{
	uint64_t s = mix(((uint64_t)seed << 40) ^ ((uint64_t)version << 24) ^ page);

	memset(b, 0, PAGE_BYTES);
	switch (kind_of(seed, page)) {
	case ZERO:
		break;
	case SAME:
		fill_same(b, &s);
		break;
	case TEXT:
		fill_text(b, &s);
		break;
	case RECORDS:
		fill_records(b, &s, version);
		break;
	case PARTIAL:
		fill_random(b, &s, 256 + next(&s) % 15 * 256);
		break;
	case SPARSE:
		fill_sparse(b, &s);
		break;
	case PERIOD:
		fill_period(b, &s);
		break;
	case RANDOM:
		fill_random(b, &s, PAGE_BYTES);
		break;
	}
}
#endif
