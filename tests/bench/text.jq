# SPDX-License-Identifier: Apache-2.0
# What the tables for people share.
def right(width): tostring | " " * ([width - length, 0] | max) + .;
def left(width): . + " " * ([width - length, 0] | max);
# 0 is added since -0.4 rounds to -0.
def commas:
  round + 0 | tostring
  | until(test("^-?[0-9]{1,3}(,[0-9]{3})*$"); sub("(?<a>[0-9])(?<b>[0-9]{3})(?<c>,|$)"; "\(.a),\(.b)\(.c)"));
