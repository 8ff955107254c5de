// SPDX-License-Identifier: Apache-2.0
#include "identity/runtime_metadata.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

namespace isoscope::identity {

namespace {

using base::Error;
using base::ErrorKind;
using base::Result;
using rapidjson::Document;
using rapidjson::Value;

// Kubernetes allows 63 bytes for a name of a container, 253 for that of a pod; an image's is longer with a
// registry and a digest.
constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_image = 512;
constexpr std::size_t longest_label = 1024;

// Not within a character of UTF-8.
std::string shortened(std::string_view text, std::size_t longest) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  if (text.size() > longest) {
    std::size_t end = longest;
    while (end > 0 && longest - end < 3 && continues(text[end])) {
      end--;
    }
    text = text.substr(0, end);
  }
  return std::string(text);
}

// Iteratively: a file full of brackets must not exhaust the stack.
Result<Document> parse(std::string_view text) {
  Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (document.HasParseError()) {
    return Error{ErrorKind::failure,
                 fmt::format("no JSON: {} at byte {}", rapidjson::GetParseError_En(document.GetParseError()),
                             document.GetErrorOffset())};
  }
  return document;
}

Result<Document> parse_object(std::string_view text) {
  auto document = parse(text);
  if (document && !document->IsObject()) {
    return Error{ErrorKind::failure, "no JSON object"};
  }
  return document;
}

// Null for what is not there; a value that is no object has no members.
const Value* member(const Value* object, std::string_view name) {
  if (object == nullptr || !object->IsObject()) {
    return nullptr;
  }
  const auto found =
      object->FindMember(Value(rapidjson::StringRef(name.data(), name.size())));  // not necessarily 0-ended
  return found == object->MemberEnd() ? nullptr : &found->value;
}

std::string_view text_of(const Value* value) {
  return value != nullptr && value->IsString()
             ? std::string_view(value->GetString(), value->GetStringLength())
             : std::string_view();
}

// Key to value, as annotations and labels are.
using Words = std::map<std::string, std::string, std::less<>>;

Words words_of(const Value* object) {
  Words words;
  if (object == nullptr || !object->IsObject()) {
    return words;
  }
  for (const auto& entry : object->GetObject()) {
    if (entry.value.IsString()) {
      words.emplace(text_of(&entry.name), text_of(&entry.value));
    }
  }
  return words;
}

// The first of the keys that has a value.
std::string first_of(const Words& words, std::initializer_list<std::string_view> keys, std::size_t longest) {
  for (const std::string_view key : keys) {
    if (const auto found = words.find(key); found != words.end() && !found->second.empty()) {
      return shortened(found->second, longest);
    }
  }
  return {};
}

std::string word(const Words& words, std::string_view key) {
  const auto found = words.find(key);
  return found == words.end() ? std::string() : found->second;
}

void take_labels(const Words& words, const LabelKeys& keys, Metadata& metadata) {
  for (const std::string& key : keys) {
    const auto has_key = [&key](const auto& label) { return label.first == key; };
    const auto found = words.find(key);
    if (found != words.end() && std::none_of(metadata.labels.begin(), metadata.labels.end(), has_key)) {
      metadata.labels.emplace_back(key, shortened(found->second, longest_label));
    }
  }
}

// containerd's CRI plugin has keys of its own; the others use those of the kubelet's labels.
Metadata metadata_of(const Words& words) {
  Metadata metadata;
  metadata.container =
      first_of(words, {"io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"},
               longest_name);
  metadata.pod_name =
      first_of(words, {"io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"}, longest_name);
  metadata.pod_namespace =
      first_of(words, {"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"}, longest_name);
  metadata.pod_uid =
      first_of(words, {"io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"}, longest_name);
  metadata.image = first_of(
      words,
      {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "org.opencontainers.image.ref.name"},
      longest_image);
  const bool is_sandbox = word(words, "io.kubernetes.cri.container-type") == "sandbox" ||
                          word(words, "io.kubernetes.cri-o.ContainerType") == "sandbox";
  if (is_sandbox && metadata.container.empty() && !metadata.pod_name.empty()) {
    metadata.container = sandbox_name;
  }
  const std::string manager = word(words, "io.container.manager");
  metadata.runtime = manager == "cri-o" ? "crio" : manager == "libpod" ? "podman" : "";
  return metadata;
}

// An annotation that is a JSON object by itself.
Words nested_words(const Words& words, std::string_view key) {
  const std::string text = word(words, key);
  if (text.empty()) {
    return {};
  }
  const auto document = parse_object(text);
  return document ? words_of(&*document) : Words{};
}

// By controller; the default hierarchy has no name. Those that may be followed have the same path.
std::string runc_cgroup(const Value* paths) {
  struct Place {
    const char* controller;
    std::string_view mount;
  };
  for (const Place& place :
       {Place{"", "/sys/fs/cgroup/unified/"}, Place{"", "/sys/fs/cgroup/"},
        Place{"pids", "/sys/fs/cgroup/pids/"}, Place{"memory", "/sys/fs/cgroup/memory/"}}) {
    const std::string_view path = text_of(member(paths, place.controller));
    if (path.starts_with(place.mount)) {
      return std::string(path.substr(place.mount.size() - 1));
    }
  }
  return "";
}

}  // namespace

Result<RuntimeRecord> parse_docker_config(std::string_view text, const LabelKeys& keys) {
  const auto document = parse_object(text);
  if (!document) {
    return document.error();
  }
  const Value* config = member(&*document, "Config");
  const Words labels = words_of(member(config, "Labels"));
  std::string_view name = text_of(member(&*document, "Name"));
  name.remove_prefix(name.starts_with('/') ? 1 : 0);
  // The image may bring labels of any name: those of the kubelet count only in a container that was made for
  // it.
  Metadata metadata = name.starts_with("k8s_") ? metadata_of(labels) : Metadata{};
  metadata.runtime = "docker";
  if (metadata.container.empty()) {
    metadata.container = shortened(name, longest_name);
  }
  if (const std::string_view image = text_of(member(config, "Image")); !image.empty()) {
    metadata.image = shortened(image, longest_image);
  }
  take_labels(labels, keys, metadata);
  return RuntimeRecord{std::move(metadata), {}};
}

Result<RuntimeRecord> parse_oci_config(std::string_view text, const LabelKeys& keys) {
  const auto document = parse_object(text);
  if (!document) {
    return document.error();
  }
  const Words annotations = words_of(member(&*document, "annotations"));
  RuntimeRecord record{metadata_of(annotations),
                       std::string(text_of(member(member(&*document, "linux"), "cgroupsPath")))};
  if (record.metadata.runtime == "podman") {
    record.metadata = {.runtime = "podman"};  // it takes over the image's annotations; its list has the names
  }
  take_labels(nested_words(annotations, "io.kubernetes.cri-o.Labels"), keys, record.metadata);
  take_labels(annotations, keys, record.metadata);
  return record;
}

Result<RuntimeRecord> parse_runc_state(std::string_view text, const LabelKeys& keys) {
  const auto document = parse_object(text);
  if (!document) {
    return document.error();
  }
  // `KEY=VALUE`: the annotations of the bundle, and the bundle.
  Words annotations;
  if (const Value* labels = member(member(&*document, "config"), "labels");
      labels != nullptr && labels->IsArray()) {
    for (const Value& label : labels->GetArray()) {
      const std::string_view pair = text_of(&label);
      if (const std::size_t equals = pair.find('='); equals != std::string_view::npos) {
        annotations.emplace(pair.substr(0, equals), pair.substr(equals + 1));
      }
    }
  }
  RuntimeRecord record{metadata_of(annotations), {}};
  record.metadata.runtime = "runc";
  if (record.metadata.container.empty()) {
    record.metadata.container = shortened(text_of(member(&*document, "id")), longest_name);
  }
  take_labels(annotations, keys, record.metadata);
  record.cgroup = runc_cgroup(member(&*document, "cgroup_paths"));
  return record;
}

Result<RuntimeRecord> parse_crun_status(std::string_view text) {
  const auto document = parse_object(text);
  if (!document) {
    return document.error();
  }
  RuntimeRecord record;
  record.metadata.runtime = "crun";
  record.cgroup = text_of(member(&*document, "cgroup-path"));
  return record;
}

Result<std::map<std::string, Metadata>> parse_container_list(std::string_view text) {
  const auto document = parse(text);
  if (!document) {
    return document.error();
  }
  if (!document->IsArray()) {
    return Error{ErrorKind::failure, "no JSON list"};
  }
  std::map<std::string, Metadata> containers;
  for (const Value& entry : document->GetArray()) {
    const std::string_view id = text_of(member(&entry, "id"));
    if (id.empty()) {
      continue;
    }
    Metadata metadata;
    if (const Value* names = member(&entry, "names");
        names != nullptr && names->IsArray() && !names->Empty()) {
      metadata.container = shortened(text_of(&*names->Begin()), longest_name);
    }
    if (const auto details = parse_object(text_of(member(&entry, "metadata")))) {
      metadata.image = shortened(text_of(member(&*details, "image-name")), longest_image);
    }
    containers.emplace(id, std::move(metadata));
  }
  return containers;
}

void fill_in(Metadata& metadata, const Metadata& more) {
  const auto take = [](std::string& into, const std::string& from) {
    if (into.empty()) {
      into = from;
    }
  };
  take(metadata.runtime, more.runtime);
  take(metadata.container, more.container);
  take(metadata.image, more.image);
  take(metadata.pod_name, more.pod_name);
  take(metadata.pod_namespace, more.pod_namespace);
  take(metadata.pod_uid, more.pod_uid);
  if (metadata.labels.empty()) {
    metadata.labels = more.labels;
  }
}

std::string display_name(const Metadata& metadata) {
  if (metadata.container.empty() || metadata.pod_name.empty()) {
    return metadata.container;
  }
  return metadata.pod_name + "/" + metadata.container;
}

}  // namespace isoscope::identity
