/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs share that make an exact number of events and report what they took. */
#ifndef ISOSCOPE_VM_LOAD_H
#define ISOSCOPE_VM_LOAD_H

#include <stdint.h>
#include <time.h>

/* Both print to stderr, the program's name first; die ends with status 1, misused with 2. */
void __attribute__((noreturn, format(printf, 1, 2))) die(const char* format, ...);
void __attribute__((noreturn, format(printf, 1, 2))) misused(const char* format, ...);

/* The number that follows an option. A text that is none, or NULL, is misuse. */
uint64_t parse_number(const char* option, const char* text, uint64_t least, uint64_t most);

/* The folder of a cgroup that follows an option. */
const char* parse_cgroup(const char* option, const char* text);

void pin_to(int cpu);

uint64_t now_ns(clockid_t clock);

void sleep_ms(unsigned int ms);

/* CPU time of the tasks of a cgroup, of those that have ended too; 0 without a cgroup. */
uint64_t cgroup_ns(const char* folder);

#endif
