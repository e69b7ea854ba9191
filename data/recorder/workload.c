/*
 * workload.c - does to its own memory what a script says, one page at a time.
 *
 *   workload SCRIPT PAGES SEED COUNTERFILE
 *
 * SCRIPT is a list of 8-byte records (script.py writes them): a little-endian
 * u32 with the operation in its low byte and the page's number above, and a
 * u32 argument.
 *
 *   W page version   write the page's contents of that version; 0 is zeros
 *   R page           read the page and check every byte of it
 *   O page           page it out: madvise(MADV_PAGEOUT)
 *   F page           give it back: madvise(MADV_DONTNEED)
 *   K                wait a moment: what is due in the kernel is done then
 *   S                write down zswap's debugfs counters, a line of COUNTERFILE
 *
 * Before it does so it says so in trace_marker: the trace then shows to which
 * operation the kernel's events belong.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "pagegen.h"

#define COUNTERS "/sys/kernel/debug/zswap"
#define TRACE_MARKER "/sys/kernel/tracing/trace_marker"
#define MAX_COUNTERS 64
#define MOMENT 20000	/* microseconds */

enum status { GOOD, WRONG_BYTES, CANNOT_START, NO_SUCH_PAGE, NO_SUCH_OPERATION };

struct record {
	uint32_t op_and_page, argument;
};

static uint32_t pages, seed;
static uint8_t *memory;
static uint32_t *version;	/* of each page; 0: never written, or given back */
static int marker;
static FILE *counter_file;
static char counter[MAX_COUNTERS][256];
static int counters;
static unsigned long done, wrong, failed;

static void mark(char op, uint32_t page, uint32_t argument)
{
	char s[48];
	int n = snprintf(s, sizeof s, "%c %u %u", op, page, argument);

	if (write(marker, s, n) != n)
		perror("trace_marker");
}

static void open_counters(void)
{
	DIR *dir = opendir(COUNTERS);
	struct dirent *e;

	fprintf(counter_file, "sample,op,monotonic_us");
	while (dir && (e = readdir(dir)) && counters < MAX_COUNTERS) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(counter[counters], sizeof counter[0], "%s", e->d_name);
		fprintf(counter_file, ",%s", counter[counters++]);
	}
	fprintf(counter_file, "\n");
}

static unsigned long long read_counter(const char *name)
{
	char path[sizeof COUNTERS + 256], text[40] = "";
	int fd;

	/* these files do not seek: open each time */
	snprintf(path, sizeof path, COUNTERS "/%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
		perror(path);
	close(fd);
	return strtoull(text, NULL, 10);
}

static void sample(uint32_t number)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	fprintf(counter_file, "%u,%lu,%llu", number, done, t.tv_sec * 1000000ull + t.tv_nsec / 1000);
	for (int i = 0; i < counters; i++)
		fprintf(counter_file, ",%llu", read_counter(counter[i]));
	fprintf(counter_file, "\n");
}

static void write_page(uint8_t *p, uint32_t page, uint32_t new_version)
{
	static uint8_t content[PAGE_BYTES];

	/* elsewhere first: the page itself must be touched once, in one go */
	if (new_version)
		fill_page(content, seed, page, new_version);
	else
		memset(content, 0, PAGE_BYTES);
	memcpy(p, content, PAGE_BYTES);
	version[page] = new_version;
}

static void read_page(const uint8_t *p, uint32_t page)
{
	static uint8_t content[PAGE_BYTES];

	if (version[page])
		fill_page(content, seed, page, version[page]);
	else
		memset(content, 0, PAGE_BYTES);
	wrong += memcmp(content, p, PAGE_BYTES) != 0;
}

static enum status run(char op, uint32_t page, uint32_t argument)
{
	uint8_t *p = memory + (size_t)page * PAGE_BYTES;
	static uint32_t samples;

	if (page >= pages)
		return NO_SUCH_PAGE;
	if (op == 'K') {	/* the program does nothing, so no mark says it */
		usleep(MOMENT);
		return GOOD;
	}
	mark(op, page, op == 'R' ? version[page] : op == 'S' ? samples : argument);
	switch (op) {
	case 'W':
		write_page(p, page, argument);
		return GOOD;
	case 'R':
		read_page(p, page);
		return GOOD;
	case 'O':
		failed += madvise(p, PAGE_BYTES, MADV_PAGEOUT) != 0;
		return GOOD;
	case 'F':
		failed += madvise(p, PAGE_BYTES, MADV_DONTNEED) != 0;
		version[page] = 0;
		return GOOD;
	case 'S':
		sample(samples++);
		return GOOD;
	}
	return NO_SUCH_OPERATION;
}

static int start(char **argv, FILE **script)
{
	pages = strtoul(argv[2], NULL, 10);
	seed = strtoul(argv[3], NULL, 10);
	*script = fopen(argv[1], "rb");
	counter_file = fopen(argv[4], "w");
	marker = open(TRACE_MARKER, O_WRONLY);
	memory = mmap(NULL, (size_t)pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	version = calloc(pages, sizeof *version);
	if (!*script || !counter_file || marker < 0 || memory == MAP_FAILED || !version)
		return -1;
	madvise(memory, (size_t)pages * PAGE_BYTES, MADV_NOHUGEPAGE);
	return 0;
}

int main(int argc, char **argv)
{
	enum status status = GOOD;
	struct record r;
	FILE *script;

	if (argc != 5 || start(argv, &script)) {
		perror("workload");
		return CANNOT_START;
	}
	open_counters();
	/* where its memory begins: the kernel's index of a page counts from address 0 */
	mark('m', (uintptr_t)memory >> 12, (uintptr_t)memory >> 44);
	for (; status == GOOD && fread(&r, sizeof r, 1, script) == 1; done++)
		status = run(r.op_and_page & 255, r.op_and_page >> 8, r.argument);
	mark('e', 0, 0);
	fclose(counter_file);
	printf("workload: %lu ops, %lu pages with wrong bytes, %lu madvise failures\n", done, wrong, failed);
	return status ? status : wrong ? WRONG_BYTES : GOOD;
}
