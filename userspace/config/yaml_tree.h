// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace isoscope::config {

// A place in a file, counted from 1.
struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

// One YAML document as plain data. Only what a configuration needs: no anchors, aliases, tags or keys that
// are not scalars.
struct YamlNode {
  enum class Kind { null, scalar, list, map } kind = Kind::null;
  Place place;
  std::string scalar;
  std::vector<YamlNode> items;                      // of a list; of a map: its values
  std::vector<std::pair<std::string, Place>> keys;  // of a map, each beside its value
};

// Reads one document. The text is not trusted: depth, size, aliases, duplicate keys and further documents are
// refused. `name` is what errors call the file; their kind is config.
base::Result<YamlNode> parse_yaml(const std::string& name, const std::string& text);

// The same for a file of several documents, which share the limit of size. An empty one is a null.
base::Result<std::vector<YamlNode>> parse_yaml_documents(const std::string& name, const std::string& text);

// A config error at a place: `name:line:column: message`.
base::Error error_at(const std::string& name, Place place, const std::string& message);

// What was found in place of what was expected: `nothing`, `"text"`, `a list` or `a map`.
std::string describe(const YamlNode& node);

// The error for a key that is none of `known`, with the nearest of them, or all.
base::Error unknown_key(const std::string& name, const std::pair<std::string, Place>& key,
                        const std::vector<std::string_view>& known);

}  // namespace isoscope::config
