/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What a newer version has to know of a field when it brings entries of an older one into its layout (src/datapath/convert.ts).
 * Fields are known by their names: one that is gone is dropped, one that is new is 0.
 */
#ifndef GTP_HISTORY_H
#define GTP_HISTORY_H

#define HISTORY(text) __attribute__((btf_decl_tag(text)))

/* A number that grows: what the older programs count while they are replaced is added. */
#define COUNTS HISTORY("counts")

/* A number that is given out once: it jumps ahead of what the older programs may give out while they are replaced. */
#define GIVEN_OUT HISTORY("given out")

/* A field that older versions called otherwise. */
#define WAS(name) HISTORY("was " #name)

/* What a field is in entries of a version that did not have it, where that is not 0. */
#define ELSE(number) HISTORY("else " #number)

#endif
