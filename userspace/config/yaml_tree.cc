// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/text.h"
#include "config/suggest.h"

namespace isoscope::config {

namespace {

// A configuration is three levels deep and a few dozen nodes long; anything far from that is a mistake or an
// attempt to make us work.
constexpr std::size_t deepest = 16;
constexpr std::size_t most_nodes = 10'000;

// Behind all text: without it the parser takes the end of the last line for the end of a quote.
constexpr std::string_view last_comment = "\n#";

// What was expected, where the parser only says what it found.
std::string_view hint_for(std::string_view message) {
  constexpr std::pair<std::string_view, std::string_view> hints[] = {
      {"end of sequence flow not found", "expected ] at the end of the list, and commas in it"},
      {"end of map flow not found", "expected } at the end of the map, and commas in it"},
      {"end of sequence not found", "expected the next item in the column of the first"},
      {"end of map not found",
       "expected the next key in the column of the first; a text that begins with { or [ needs quotes"},
      {"illegal map value",
       "expected one key: a text with `: ` in it needs quotes, a key of its own its column"},
      {"illegal block entry", "expected blanks before -, not tabs, and a line of its own"},
      {"illegal flow end", "expected [ or { before it"},
      {"unknown escape character", "expected \\\\, or the text in single quotes"},
      {"the referenced anchor is not defined", "expected a value; quote a text that begins with *"},
      {"map keys must be", "expected blanks, not tabs"},
      {"illegal EOF in scalar", "expected the quotation mark that ends a text"},
      {"unknown token", "expected a text in quotes"},
      {"YAML major version too large", "expected 1.2 or no such line"},
  };
  for (const auto& [found, hint] : hints) {
    if (message.find(found) != std::string_view::npos) {
      return hint;
    }
  }
  return {};
}

std::string in_words(const std::string& message) {
  const std::string_view hint = hint_for(message);
  return base::printable(message) + (hint.empty() ? "" : fmt::format("; {}", hint));
}

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
  // `nodes` counts the values of the whole file.
  explicit TreeBuilder(std::size_t& nodes) : nodes_(nodes) {}

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
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "aliases are not supported; write the value here");
  }
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
      refuse(mark, "anchors are not supported; write the value where it is wanted");
    }
  }
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    // The parser says `?` for a plain and `!` for a quoted scalar.
    if (!tag.empty() && tag != "?" && tag != "!") {
      refuse(mark, fmt::format("the tag {} is not supported; a value stands alone", base::printable(tag)));
    }
  }
  void refuse_as_key(const YAML::Mark& mark) const {
    if (expects_key()) {
      refuse(mark, "a key must be a word; a map in braces has commas between its keys");
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
  std::size_t& nodes_;
};

}  // namespace

base::Error error_at(const std::string& name, Place place, const std::string& message) {
  return {base::ErrorKind::config,
          fmt::format("{}:{}:{}: {}", base::printable(name), place.line, place.column, message)};
}

base::Result<std::vector<YamlNode>> parse_yaml_documents(const std::string& name, const std::string& text) {
  try {
    std::istringstream stream(fmt::format("{}{}", text, last_comment));
    YAML::Parser parser(stream);
    std::vector<YamlNode> documents;
    std::size_t nodes = 0;
    while (true) {
      TreeBuilder builder(nodes);
      if (!parser.HandleNextDocument(builder)) {
        return documents;
      }
      documents.push_back(builder.take());
    }
  } catch (const YAML::Exception& error) {
    return error_at(name, place_of(error.mark), in_words(error.msg));
  } catch (const std::exception& error) {
    return error_at(name, {}, error.what());
  }
}

base::Result<YamlNode> parse_yaml(const std::string& name, const std::string& text) {
  base::Result<std::vector<YamlNode>> documents = parse_yaml_documents(name, text);
  if (!documents) {
    return std::move(documents.error());
  }
  if (documents->size() > 1) {
    return error_at(name, (*documents)[1].place, "a second document: only one is read");
  }
  return documents->empty() ? YamlNode{} : std::move(documents->front());
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return fmt::format("\"{}\"", base::printable(node.scalar));
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      break;
  }
  return "a map";
}

base::Error unknown_key(const std::string& name, const std::pair<std::string, Place>& key,
                        const std::vector<std::string_view>& known) {
  std::string message = fmt::format("unknown key \"{}\"", base::printable(key.first));
  if (const std::string_view near = nearest(key.first, known); !near.empty()) {
    message += fmt::format("; did you mean \"{}\"?", near);
  } else {
    message += fmt::format("; expected {}", join_choices(known));
  }
  return error_at(name, key.second, message);
}

}  // namespace isoscope::config
