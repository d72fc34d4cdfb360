#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a JSON file as a C array, so that xylemctl carries the operation table."""
import json
import sys

source, target, name = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = json.dumps(json.load(file), separators=(",", ":"), ensure_ascii=True).encode()
with open(target, "w", encoding="ascii") as file:
    file.write(f"/* Made from {source.rsplit('/', 1)[-1]}. */\nstatic const char {name}[] = {{\n")
    for i in range(0, len(text), 20):
        file.write("".join(f"{byte}," for byte in text[i : i + 20]) + "\n")
    file.write("0 };\n")
