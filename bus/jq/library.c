/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builtins written in the language, after jq's own definitions (src/builtin.jq):
 * each is parsed only in programs that use it.
 */
#include "jq/builtin.h"

const struct jq_definition jq_library_core[] = {
	{ "arrays", 0, "def arrays: select(type == \"array\");" },
	{ "booleans", 0, "def booleans: select(type == \"boolean\");" },
	{ "combinations", 0,
		"def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $y | "
		"[$x] + $y end;" },
	{ "combinations", 1, "def combinations(n): . as $dot | [range(n) | $dot] | combinations;" },
	{ "finites", 0, "def finites: select(isfinite);" },
	{ "fromstream", 1,
		"def fromstream(f): {x: null, e: false} as $init | foreach f as $i ($init; if .e then $init "
		"else . "
		"end | if $i | length == 2 then setpath([\"e\"]; $i[0] | length == 0) | setpath([\"x\"] + "
		"$i[0]; $i[1]) "
		"else setpath([\"e\"]; $i[0] | length == 1) end; if .e then .x else empty end);" },
	{ "in", 1, "def in(xs): . as $x | xs | has($x);" },
	{ "IN", 1, "def IN(s): any(s == .; .);" },
	{ "IN", 2, "def IN(src; s): any(src == s; .);" },
	{ "INDEX", 1, "def INDEX(idx_expr): INDEX(.[]; idx_expr);" },
	{ "INDEX", 2,
		"def INDEX(stream; idx_expr): reduce stream as $row ({}; .[$row | idx_expr | tostring] = "
		"$row);" },
	{ "inside", 1, "def inside(xs): . as $x | xs | contains($x);" },
	{ "iterables", 0, "def iterables: select(type | . == \"array\" or . == \"object\");" },
	{ "JOIN", 2, "def JOIN($idx; idx_expr): [.[] | [., $idx[idx_expr]]];" },
	{ "JOIN", 3, "def JOIN($idx; stream; idx_expr): stream | [., $idx[idx_expr]];" },
	{ "JOIN", 4,
		"def JOIN($idx; stream; idx_expr; join_expr): stream | [., $idx[idx_expr]] | join_expr;" },
	{ "nth", 1, "def nth($n): .[$n];" },
	{ "nth", 2,
		"def nth($n; f): if $n < 0 then error(\"nth doesn't support negative indices\") else label "
		"$out | "
		"foreach f as $item ($n + 1; . - 1; if . <= 0 then $item, break $out else empty end) end;" },
	{ "normals", 0, "def normals: select(isnormal);" },
	{ "nulls", 0, "def nulls: select(. == null);" },
	{ "numbers", 0, "def numbers: select(type == \"number\");" },
	{ "objects", 0, "def objects: select(type == \"object\");" },
	{ "paths", 0, "def paths: path(..) | select(length > 0);" },
	{ "paths", 1, "def paths(node_filter): path(.. | select(node_filter)) | select(length > 0);" },
	{ "pick", 1,
		"def pick(pathexps): . as $in | reduce path(pathexps) as $a (null; setpath($a; $in | "
		"getpath($a)));" },
	{ "scalars", 0, "def scalars: select(type | . != \"array\" and . != \"object\");" },
	{ "strings", 0, "def strings: select(type == \"string\");" },
	{ "tostream", 0,
		"def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q "
		"([$p, .]; "
		"[$p + $q]);" },
	{ "truncate_stream", 1,
		"def truncate_stream(stream): . as $n | null | stream | . as $input | if (.[0] | length) > "
		"$n then "
		"setpath([0]; $input[0][$n:]) else empty end;" },
	{ "values", 0, "def values: select(. != null);" },
	{ "walk", 1,
		"def walk(f): def w: if type == \"object\" then map_values(w) elif type == \"array\" then "
		"map(w) else . "
		"end | f; w;" },
	{ NULL, 0, NULL },
};
