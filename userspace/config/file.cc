// SPDX-License-Identifier: Apache-2.0
#include "config/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "base/unique_fd.h"
#include "config/values.h"
#include "config/yaml_tree.h"

namespace isoscope::config {

namespace {

using base::Error;
using base::Ok;
using base::Result;

constexpr std::size_t largest_file = std::size_t{1} << 20;
constexpr std::string_view outputs_key = "outputs";

using Kind = YamlNode::Kind;

std::vector<std::string_view> known_keys() {
  std::vector<std::string_view> keys = {outputs_key};
  for (const Option& option : options()) {
    if (option.in_file) {
      keys.emplace_back(option.name);
    }
  }
  return keys;
}

Result<Ok> apply_scalar(const std::string& name, const Option& option, const YamlNode& node, Draft& draft) {
  if (node.kind != Kind::scalar || node.scalar.empty()) {
    const std::string expected = option.argument == nullptr ? "true or false"
                                 : option.repeatable        ? "a value or a list of values"
                                                            : "a value";
    return error_at(name, node.place,
                    fmt::format("{}: expected {}, found {}", option.name, expected, describe(node)));
  }
  if (Result<Ok> applied = option.apply(draft, node.scalar); !applied) {
    return error_at(name, node.place,
                    fmt::format("{}: {} {}", option.name, describe(node), applied.error().message));
  }
  return Ok{};
}

Result<Ok> apply_key(const std::string& name, const Option& option, const YamlNode& node, Draft& draft) {
  if (option.named && node.kind == Kind::map) {
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      YamlNode item = node.items[i];
      if (item.kind == Kind::scalar && !item.scalar.empty()) {
        item.scalar = fmt::format("{}={}", node.keys[i].first, item.scalar);
      }
      if (Result<Ok> applied = apply_scalar(name, option, item, draft); !applied) {
        return applied;
      }
    }
    return Ok{};
  }
  if (!option.repeatable || node.kind != Kind::list) {
    return apply_scalar(name, option, node, draft);
  }
  for (const YamlNode& item : node.items) {
    if (Result<Ok> applied = apply_scalar(name, option, item, draft); !applied) {
      return applied;
    }
  }
  return Ok{};
}

// `rotate` of one output: a map of size and keep.
Result<Ok> apply_rotate(const std::string& name, const YamlNode& node, Rotation& rotate) {
  Draft scratch;
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const std::string& key = node.keys[i].first;
    if (key != "size" && key != "keep") {
      return unknown_key(name, node.keys[i], {"size", "keep"});
    }
    const Option& option = *find_option(key == "size" ? "rotate-size" : "rotate-keep");
    if (Result<Ok> applied = apply_scalar(name, option, node.items[i], scratch); !applied) {
      return applied;
    }
  }
  if (scratch.rotate.size_bytes == 0) {
    return error_at(name, node.place,
                    fmt::format("rotate: expected {{size, keep}}, found {}",
                                node.kind == Kind::map ? "no size" : describe(node)));
  }
  rotate = scratch.rotate;
  return Ok{};
}

// One of `outputs`: a path, or a map of path, format and rotate. A format or a
// rotate that is not given is left to the options of all outputs.
Result<Ok> apply_output(const std::string& name, const YamlNode& node, Draft& draft) {
  const YamlNode* path = node.kind == Kind::scalar ? &node : nullptr;
  const YamlNode* format = nullptr;
  const YamlNode* rotate = nullptr;
  if (node.kind == Kind::map) {
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      if (node.keys[i].first == "path") {
        path = &node.items[i];
      } else if (node.keys[i].first == "format") {
        format = &node.items[i];
      } else if (node.keys[i].first == "rotate") {
        rotate = &node.items[i];
      } else {
        return unknown_key(name, node.keys[i], {"path", "format", "rotate"});
      }
    }
  }
  if (path == nullptr) {
    return error_at(name, node.place,
                    fmt::format("{}: expected a path or {{path, format}}, found {}", outputs_key,
                                node.kind == Kind::map ? "no path" : describe(node)));
  }
  if (Result<Ok> applied = apply_scalar(name, *find_option("output"), *path, draft); !applied) {
    return applied;
  }
  if (rotate != nullptr) {
    if (Result<Ok> applied = apply_rotate(name, *rotate, draft.outputs.back().rotate); !applied) {
      return applied;
    }
  }
  if (format == nullptr) {
    return Ok{};
  }
  Draft scratch;
  if (Result<Ok> applied = apply_scalar(name, *find_option("format"), *format, scratch); !applied) {
    return applied;
  }
  draft.outputs.back().format = scratch.format;
  return Ok{};
}

Result<Ok> apply_outputs(const std::string& name, const YamlNode& node, Draft& draft) {
  if (node.kind != Kind::list || node.items.empty()) {
    return error_at(name, node.place,
                    fmt::format("{}: expected a list of paths or of {{path, format}}, found {}", outputs_key,
                                node.kind == Kind::list ? "an empty list" : describe(node)));
  }
  for (const YamlNode& item : node.items) {
    if (Result<Ok> applied = apply_output(name, item, draft); !applied) {
      return applied;
    }
  }
  return Ok{};
}

}  // namespace

Result<std::string> read_whole(const std::string& path) {
  const auto failed = [&](const std::string& why) {
    return Error{base::ErrorKind::config, fmt::format("cannot read {}: {}", base::printable(path), why)};
  };
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) {
    return failed(base::errno_text(errno));
  }
  std::string text;
  std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return failed(base::errno_text(errno));
    }
    if (got == 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > largest_file) {
      return failed(fmt::format("it is larger than {} bytes", largest_file));
    }
  }
}

Result<Ok> read_text(const std::string& name, const std::string& text, Draft& draft) {
  Result<YamlNode> root = parse_yaml(name, text);
  if (!root) {
    return std::move(root.error());
  }
  if (root->kind == Kind::null) {
    return Ok{};  // an empty file, or nothing but comments
  }
  if (root->kind != Kind::map) {
    return error_at(name, root->place, fmt::format("expected a map of options, found {}", describe(*root)));
  }
  // `format` is for every output without one of its own, wherever it stands in the file.
  const YamlNode* outputs = nullptr;
  for (std::size_t i = 0; i < root->keys.size(); ++i) {
    if (root->keys[i].first == outputs_key) {
      outputs = &root->items[i];
      continue;
    }
    const Option* option = find_option(root->keys[i].first);
    if (option == nullptr || !option->in_file) {
      return unknown_key(name, root->keys[i], known_keys());
    }
    if (Result<Ok> applied = apply_key(name, *option, root->items[i], draft); !applied) {
      return applied;
    }
  }
  return outputs == nullptr ? Result<Ok>(Ok{}) : apply_outputs(name, *outputs, draft);
}

Result<Ok> read_file(const std::string& path, Draft& draft) {
  Result<std::string> text = read_whole(path);
  if (!text) {
    return std::move(text.error());
  }
  return read_text(path, *text, draft);
}

}  // namespace isoscope::config
