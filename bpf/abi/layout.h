/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The one include of every ABI header: fixed-width types and layout asserts for both compilers.
 * BPF sources get __u32 and friends from vmlinux.h, userspace from linux/types.h.
 */
#ifndef ISOSCOPE_ABI_LAYOUT_H
#define ISOSCOPE_ABI_LAYOUT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#ifdef __cplusplus
#include <cstddef>
#define ISOSCOPE_ASSERT(condition, text) static_assert(condition, text)
#define ISOSCOPE_OFFSETOF(type, member) offsetof(type, member)
#else
#define ISOSCOPE_ASSERT(condition, text) _Static_assert(condition, text)
#define ISOSCOPE_OFFSETOF(type, member) __builtin_offsetof(type, member)
#endif

#define ISOSCOPE_ASSERT_SIZE(type, bytes) \
	ISOSCOPE_ASSERT(sizeof(struct type) == (bytes), "struct " #type " must be " #bytes " bytes")
#define ISOSCOPE_ASSERT_OFFSET(type, member, bytes)                        \
	ISOSCOPE_ASSERT(ISOSCOPE_OFFSETOF(struct type, member) == (bytes), \
			#type "." #member " must stand at " #bytes)

/*
 * Version of everything below bpf/abi: raised when a layout or the meaning of a number changes.
 * The object carries it in its knobs; userspace refuses an object of another version.
 */
#define ISOSCOPE_ABI_VERSION 7

#endif
