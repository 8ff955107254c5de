// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/yaml_tree.h"
#include "policy/policy.h"

namespace isoscope::policy {

// Collects what is wrong in one file.
class Problems {
 public:
  // A file that is wrong all over would drown whoever reads about it; how many are left out is said.
  static constexpr std::size_t most = 100;

  explicit Problems(std::string file) : file_(std::move(file)) {}

  const std::string& file() const { return file_; }
  void add(config::Place place, const std::string& message);
  void add(base::Error error);
  std::size_t count() const { return count_; }
  std::vector<base::Error> take();

 private:
  std::string file_;
  std::vector<base::Error> errors_;
  std::size_t count_ = 0;
};

// `on`, or one map of `except`, which `name` is.
Match parse_match(std::string_view name, const config::YamlNode& node, Problems& problems);

}  // namespace isoscope::policy
