// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/text.h"

namespace isoscope::config {

namespace {

// A configuration is three levels deep and a few dozen nodes long; anything far from that is a mistake or an
// attempt to make us work.
constexpr std::size_t deepest = 16;
constexpr std::size_t most_nodes = 10'000;

Place place_of(const YAML::Mark& mark) {
  if (mark.is_null()) {
    return {};
  }
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

// Builds the tree from the parser's events: YAML::Node would resolve aliases and keep duplicate keys without
// telling. Throws YAML::ParserException, as the parser around it does.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    refuse_as_key(mark);
    // The parser's mark of an absent value is wherever the next token is; its key says more.
    const bool is_value = !path_.empty() && path_.back()->kind == YamlNode::Kind::map;
    leaf({YamlNode::Kind::null, is_value ? path_.back()->keys.back().second : place_of(mark), {}, {}, {}},
         mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark, "aliases are not supported"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (expects_key()) {
      add_key(mark, value);
      return;
    }
    leaf({YamlNode::Kind::scalar, place_of(mark), value, {}, {}}, mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { path_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { path_.pop_back(); }

 private:
  [[noreturn]] static void refuse(const YAML::Mark& mark, const std::string& why) {
    throw YAML::ParserException(mark, why);
  }
  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) {
      refuse(mark, "anchors are not supported");
    }
  }
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    // The parser says `?` for a plain and `!` for a quoted scalar.
    if (!tag.empty() && tag != "?" && tag != "!") {
      refuse(mark, fmt::format("the tag {} is not supported", base::printable(tag)));
    }
  }
  void refuse_as_key(const YAML::Mark& mark) const {
    if (expects_key()) {
      refuse(mark, "a key must be a word");
    }
  }

  bool expects_key() const {
    return !path_.empty() && path_.back()->kind == YamlNode::Kind::map &&
           path_.back()->keys.size() == path_.back()->items.size();
  }

  void add_key(const YAML::Mark& mark, const std::string& key) {
    auto& keys = path_.back()->keys;
    if (std::any_of(keys.begin(), keys.end(), [&](const auto& other) { return other.first == key; })) {
      refuse(mark, fmt::format("the key \"{}\" is given twice", base::printable(key)));
    }
    keys.emplace_back(key, place_of(mark));
  }

  YamlNode& leaf(YamlNode node, const YAML::Mark& mark) {
    if (++nodes_ > most_nodes) {
      refuse(mark, fmt::format("more than {} values", most_nodes));
    }
    if (path_.empty()) {
      root_ = std::move(node);
      return root_;
    }
    return path_.back()->items.emplace_back(std::move(node));
  }

  // Pointers in path_ stay good: only the innermost open node grows.
  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    refuse_as_key(mark);
    if (path_.size() == deepest) {
      refuse(mark, fmt::format("nested more than {} deep", deepest));
    }
    path_.push_back(&leaf({kind, place_of(mark), {}, {}, {}}, mark));
  }

  YamlNode root_;
  std::vector<YamlNode*> path_;
  std::size_t nodes_ = 0;
};

}  // namespace

base::Error error_at(const std::string& name, Place place, const std::string& message) {
  return {base::ErrorKind::config,
          fmt::format("{}:{}:{}: {}", base::printable(name), place.line, place.column, message)};
}

base::Result<YamlNode> parse_yaml(const std::string& name, const std::string& text) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    TreeBuilder builder;
    if (!parser.HandleNextDocument(builder)) {
      return YamlNode{};
    }
    YamlNode root = builder.take();
    TreeBuilder second;
    if (parser.HandleNextDocument(second)) {
      return error_at(name, second.take().place, "a second document: only one is read");
    }
    return root;
  } catch (const YAML::Exception& error) {
    return error_at(name, place_of(error.mark), base::printable(error.msg));
  } catch (const std::exception& error) {
    return error_at(name, {}, error.what());
  }
}

}  // namespace isoscope::config
