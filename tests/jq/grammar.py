# SPDX-License-Identifier: Apache-2.0
"""Random jq programs and documents from a seed. Programs compile, end, and mean the same in every jq: nothing of numbers
beyond 2^53, of the order of members, of the texts of errors."""

import json
import re

STRINGS = ["", "a", "b", "ab", "abc", "a,b", "1", "-2.5", "é", "𝄞x", "null", "A b", "aXbXc", " a ", "[1]", "x-1,y-2"]
KEYS = ["a", "b", "c"]
NUMBERS = ["0", "1", "2", "3", "-1", "1.5", "10", "-0.25", "100"]
REGEXES = ["a", "b+", "[a-c]", "(?<x>[a-z])", "(a)|(b)", "\\\\d+", "^.", ".$", "[^,]+", ",", "(?<n>\\\\d)?b"]

ATOMS = [".", ".", ".", ".a", ".b", ".[0]", ".[1]", ".[-1]", ".[]", ".[]?", ".a?", "..", "null", "true", "false", "[]", "{}",
         ".a.b", '.["c"]', ".[1:]", ".[:2]", ".[0:1]?", "empty", "(.a, .b)", ".a[0]?", ".b.c?"]
PURE = ["length", "keys", "add", "any", "all", "flatten", "floor", "sqrt", "tostring", "tonumber", "type", "sort", "min", "max",
        "unique", "reverse", "to_entries", "from_entries", "not", "tojson", "fromjson", "explode", "implode", "ascii_downcase",
        "ascii_upcase", "arrays", "objects", "iterables", "booleans", "numbers", "strings", "nulls", "values", "scalars",
        "transpose", "first", "last", "utf8bytelength", "tostream", "paths", "@text", "@json", "@html", "@uri", "@csv", "@tsv",
        "@sh", "@base64", "fabs", "round", "ceil", "trunc", "isnan", "isinfinite", "isnormal", "recurse", "combinations",
        "fromdate", "todate", "gmtime", "mktime", "map(.)", "map_values(.)", "length|tostring", "infinite|tostring"]
ONE = ["map({})", "map_values({})", "select({})", "sort_by({})", "group_by({})", "unique_by({})", "min_by({})", "max_by({})",
       "path({p})", "del({p})", "with_entries(.value |= ({}))", "any({})", "all({})", "first({})", "last({})",
       "isempty({})", "[limit(3; {})]", "[limit(5; recurse({}))]", "walk({})", "has({})", "in({})", "contains({})",
       "inside({})", "index({} | if . == \"\" then 1 else . end)", "rindex({} | if . == \"\" then 1 else . end)", "indices({} | if . == \"\" then 1 else . end)", "startswith({})", "endswith({})", "ltrimstr({})",
       "rtrimstr({})", "split({})", "join({})", "flatten({})", "range({} | if . > 50 then 5 else . end)", "getpath([{} | strings, numbers])", "error({} | if . == null then 1 else . end)", "nth({} | if type == \"number\" then . else 0 end)",
       "delpaths([[{} | strings, numbers]])", "[{}]", "({})", "[.[]? | {}]", "try ({}) catch \"E\"", "({})?", "-({})", "[({}) | not]",
       "first(.[]?) | {}", "map(select({}))", "[foreach .[]? as $v (0; . + 1; [., ({})])]", "tostream | [({})?]",
       "fromstream({} | tostream)", "add | {}", "(tojson | fromjson) | {}", "IN({})", "INDEX({})", "group_by({}) | length",
       "[range(0; 3) as $i | {}]", "to_entries | map({})", "[.. | {}]", "[splits({})]", "ascii_downcase | {}", "bsearch({})",
       "[.[]?] | sort_by({}) | first", "@json \"v=\\({})\"", "\"<\\({})>\"", "@html \"\\({})\"", "[first({0}), last({0})]"]
TWO = ["{} | {}", "{} | {}", "{}, {}", "{} + {}", "{} - {}", "{} * {}", "{} / {}", "{} % {}", "{} == {}", "{} != {}", "{} < {}",
       "{} <= {}", "{} > {}", "{} >= {}", "({}) and ({})", "({}) or ({})", "({}) // ({})", "[{}, {}]", "{{a: ({}), b: ({})}}",
       "({}) as $x | {}", "({}) as [$x, $y] | {}", "reduce ({}) as $x (.; {})", "[foreach ({}) as $x (0; . + 1; {})]",
       "if {} then {} else . end", "try ({}) catch (null | {})", "({p}) |= ({})", "({p}) = ({})", "({p}) += ({})", "({p}) //= ({})",
       "({p}) -= ({})", "range({} | if . < -50 then 1 else . end; {} | if . > 50 then 5 else . end)", "[.[{}:{}]]", "setpath([{} | strings, numbers]; {})", "any({}; {})", "all({}; {})", "[limit({} | if type == \"number\" then . else 2 end; {})]",
       "def f: {}; f | {}", "def f(g): g | {}; f({})", "[label $out | ({}) | if {} then ., break $out else . end]",
       "first({}) | {}", "getpath([{} | strings, numbers]) | {}", "path(({p}) | {p})", "del(({p}), ({p}))", "IN({}; {})", "[.[]? | ({}), ({})]",
       "{{(({}) | tostring): ({})}}", "map({}) | map({})", "to_entries | ({}) | ({})", "[limit(3; while({}; {}))]", "[{}] | map({})",
       "({}) as {{a: $x}} | {}", "[nth({} | if type == \"number\" then . else 1 end; {})]", "reduce .[]? as $x (first({}); {})", ". as $dot | ({}) | ({})"]
STRINGLY = ['test("{r}")', '[match("{r}"; "g") | .offset]', '[match("{r}") | .string]', '[scan("{r}")]', 'sub("{r}"; "<&>")',
            'gsub("{r}"; "-")', '[capture("{r}")]', 'split("{r}"; null)', 'sub("{r}"; "\\(.x?)")', 'test("{r}"; "i")']


PATHS = [".", ".a", ".b", ".[0]", ".[]?", "..", ".a.b", ".[1:]", ".[:1]?", "first(.[]?)", "select({})", "({p}) | {p}",
         "({p}), ({p})", "if {} then {p} else {p} end", "({p}) // ({p})", 'getpath(["a"])', "recurse", "[limit(2; {p})] | .[0]",
         "limit(2; {p})", "empty", ".[]", ".c?", "({p})?", ".[-1]", 'getpath(["b"])?']


class Programs:
    def __init__(self, random):
        self.random = random

    def literal(self):
        kind = self.random.random()
        if kind < 0.5:
            return self.random.choice(NUMBERS)
        return json.dumps(self.random.choice(STRINGS), ensure_ascii=self.random.random() < 0.3)

    def atom(self, variables):
        kind = self.random.random()
        if variables and kind < 0.25:
            return "$" + self.random.choice(variables)
        if kind < 0.45:
            return self.literal()
        if kind < 0.52:
            return self.random.choice(STRINGLY).replace("{r}", self.random.choice(REGEXES))
        return self.random.choice(ATOMS if kind < 0.8 else PURE)

    def path(self, depth, variables):
        """An expression that leads to places in its input."""
        shape = self.random.choice(PATHS)
        if depth == 0 and "{" in shape:
            return ".a"
        return self.fill(shape, depth, variables)

    def fill(self, shape, depth, variables):
        """Puts programs for `{}` and paths for `{p}`; a variable is known behind the `as` that binds it."""
        made, bound = "", set()
        for part in re.split(r"(\{p\}|\{0\}|\{\})", shape.replace("{{", "\x01").replace("}}", "\x02")):
            if part == "{p}":
                made += self.path(depth - 1, variables)
            elif part in ("{}", "{0}"):
                made += self.wrap(self.program(max(depth - 1, 0), tuple(set(variables) | bound)))
            else:
                made += part
                bound |= {name for name in ("x", "y") if f"${name}" in part}
        return made.replace("\x01", "{").replace("\x02", "}")

    def program(self, depth, variables=()):
        if depth == 0 or self.random.random() < 0.1:
            return self.atom(variables)
        return self.fill(self.random.choice(ONE if self.random.random() < 0.4 else TWO), depth, variables)

    @staticmethod
    def wrap(text):
        return f"({text})" if any(mark in text for mark in " |,;") else text


class Documents:
    def __init__(self, random):
        self.random = random

    def value(self, depth):
        kind = self.random.random()
        if depth == 0 or kind < 0.45:
            return self.random.choice([None, True, False, 0, 1, 2, -1, 1.5, 10, 3] + STRINGS)
        if kind < 0.75:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return {key: self.value(depth - 1) for key in KEYS if self.random.random() < 0.6}

    def text(self):
        return json.dumps(self.value(3), ensure_ascii=False)
