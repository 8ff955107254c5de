// SPDX-License-Identifier: Apache-2.0
#include "identity/runtime_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace isoscope::identity {
namespace {

using ::testing::HasSubstr;

Metadata good(const base::Result<RuntimeRecord>& record) {
  EXPECT_TRUE(record) << (record ? "" : record.error().message);
  return record ? record->metadata : Metadata{};
}

TEST(RuntimeMetadata, Docker) {
  const auto metadata = good(parse_docker_config(
      R"({"StreamConfig":{},"State":{"Running":true,"Pid":4711},"ID":"aa","Created":"2026-01-01T00:00:00Z",
          "Managed":false,"Path":"nginx","Args":[],"Config":{"Hostname":"web","Image":"nginx:1.25",
          "Labels":{"app":"shop","tier":"front","com.docker.compose.service":"web"}},
          "Image":"sha256:1234","Name":"/shop-web-1","RestartCount":0})",
      {"tier", "missing", "app"}));
  EXPECT_EQ(metadata, (Metadata{.runtime = "docker",
                                .container = "shop-web-1",
                                .image = "nginx:1.25",
                                .labels = {{"tier", "front"}, {"app", "shop"}}}));
}

TEST(RuntimeMetadata, DockerUnderKubernetes) {
  const auto metadata = good(parse_docker_config(
      R"({"Name":"/k8s_nginx_web-0_shop_0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55_0",
          "Config":{"Image":"nginx@sha256:12","Labels":{"io.kubernetes.container.name":"nginx",
          "io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop",
          "io.kubernetes.pod.uid":"0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55"}}})",
      {}));
  EXPECT_EQ(metadata, (Metadata{.runtime = "docker",
                                .container = "nginx",
                                .image = "nginx@sha256:12",
                                .pod_name = "web-0",
                                .pod_namespace = "shop",
                                .pod_uid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55"}));
  EXPECT_EQ(display_name(metadata), "web-0/nginx");
}

TEST(RuntimeMetadata, ContainerdOfKubernetes) {
  const auto record = parse_oci_config(
      R"({"ociVersion":"1.1.0","process":{"args":["nginx"]},"annotations":{
          "io.kubernetes.cri.container-name":"nginx","io.kubernetes.cri.container-type":"container",
          "io.kubernetes.cri.image-name":"docker.io/library/nginx:1.25",
          "io.kubernetes.cri.sandbox-id":"bb","io.kubernetes.cri.sandbox-name":"web-0",
          "io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-uid":"0b54fd9b"},
          "linux":{"cgroupsPath":"kubepods-pod0b54fd9b.slice:cri-containerd:aa"}})",
      {"io.kubernetes.cri.sandbox-id"});
  EXPECT_EQ(good(record), (Metadata{.container = "nginx",
                                    .image = "docker.io/library/nginx:1.25",
                                    .pod_name = "web-0",
                                    .pod_namespace = "shop",
                                    .pod_uid = "0b54fd9b",
                                    .labels = {{"io.kubernetes.cri.sandbox-id", "bb"}}}));
  EXPECT_EQ(record->cgroup, "kubepods-pod0b54fd9b.slice:cri-containerd:aa");
}

TEST(RuntimeMetadata, ContainerdsSandboxHasNoNameOfItsOwn) {
  const auto metadata = good(parse_oci_config(
      R"({"annotations":{"io.kubernetes.cri.container-type":"sandbox","io.kubernetes.cri.sandbox-name":"web-0",
          "io.kubernetes.cri.sandbox-namespace":"shop"}})",
      {}));
  EXPECT_EQ(metadata.container, sandbox_name);
  EXPECT_EQ(display_name(metadata), "web-0/POD");
}

TEST(RuntimeMetadata, Nerdctl) {
  const auto metadata = good(parse_oci_config(
      R"({"annotations":{"nerdctl/name":"web","nerdctl/namespace":"default"},"linux":{"cgroupsPath":"/default/aa"}})",
      {"nerdctl/namespace"}));
  EXPECT_EQ(metadata, (Metadata{.container = "web", .labels = {{"nerdctl/namespace", "default"}}}));
}

TEST(RuntimeMetadata, Crio) {
  const auto metadata = good(parse_oci_config(
      R"({"annotations":{"io.container.manager":"cri-o","io.kubernetes.container.name":"nginx",
          "io.kubernetes.cri-o.ContainerName":"k8s_nginx_web-0_shop_0b54fd9b_0",
          "io.kubernetes.cri-o.ContainerType":"container","io.kubernetes.cri-o.Image":"1234",
          "io.kubernetes.cri-o.ImageName":"quay.io/nginx:1.25","io.kubernetes.pod.name":"web-0",
          "io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"0b54fd9b",
          "io.kubernetes.cri-o.Labels":"{\"app\":\"shop\",\"io.kubernetes.pod.name\":\"web-0\"}",
          "note":"by hand"}})",
      {"note", "app"}));
  EXPECT_EQ(metadata, (Metadata{.runtime = "crio",
                                .container = "nginx",
                                .image = "quay.io/nginx:1.25",
                                .pod_name = "web-0",
                                .pod_namespace = "shop",
                                .pod_uid = "0b54fd9b",
                                .labels = {{"app", "shop"}, {"note", "by hand"}}}));
}

TEST(RuntimeMetadata, ALabelBeatsAnAnnotationOfThatName) {
  const auto metadata = good(parse_oci_config(
      R"({"annotations":{"app":"annotation","io.kubernetes.cri-o.Labels":"{\"app\":\"label\"}"}})", {"app"}));
  ASSERT_EQ(metadata.labels.size(), 1U);
  EXPECT_EQ(metadata.labels[0].second, "label");
}

TEST(RuntimeMetadata, Podman) {
  const auto metadata = good(parse_oci_config(
      R"({"annotations":{"io.container.manager":"libpod","org.opencontainers.image.stopSignal":"15"},
          "linux":{"cgroupsPath":"machine.slice:libpod:aa"}})",
      {}));
  EXPECT_EQ(metadata, (Metadata{.runtime = "podman"}));
}

// An image brings labels and annotations of its own.
TEST(RuntimeMetadata, AnImageDoesNotNameItsContainer) {
  const auto docker = good(parse_docker_config(
      R"({"Name":"/web","Config":{"Image":"nginx","Labels":{"io.kubernetes.container.name":"etcd",
          "io.kubernetes.pod.name":"etcd-0"}}})",
      {}));
  EXPECT_EQ(docker, (Metadata{.runtime = "docker", .container = "web", .image = "nginx"}));
  const auto podman = good(parse_oci_config(
      R"({"annotations":{"io.container.manager":"libpod","io.kubernetes.container.name":"etcd",
          "io.kubernetes.cri.image-name":"etcd","app":"shop"}})",
      {"app"}));
  EXPECT_EQ(podman, (Metadata{.runtime = "podman", .labels = {{"app", "shop"}}}));
}

TEST(RuntimeMetadata, ListOfContainers) {
  const auto list = parse_container_list(
      R"([{"id":"aa","names":["web","alias"],"image":"12","layer":"34",
           "metadata":"{\"image-name\":\"docker.io/library/nginx:1.25\",\"image-id\":\"12\",\"name\":\"web\"}"},
          {"id":"bb","names":null,"metadata":"not JSON"},{"id":"cc","names":[]},{"names":["no id"]},7])");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ(list->at("aa"), (Metadata{.container = "web", .image = "docker.io/library/nginx:1.25"}));
  EXPECT_EQ(list->at("bb"), Metadata{});
  EXPECT_EQ(list->at("cc"), Metadata{});
}

TEST(RuntimeMetadata, Runc) {
  const auto record = parse_runc_state(
      R"({"id":"web","init_process_pid":4711,"config":{"labels":["bundle=/srv/web",
          "org.opencontainers.image.ref.name=nginx:1.25","app=a=b","odd"]},
          "cgroup_paths":{"":"/sys/fs/cgroup/system.slice/runc-web.scope"}})",
      {"app", "bundle"});
  EXPECT_EQ(good(record), (Metadata{.runtime = "runc",
                                    .container = "web",
                                    .image = "nginx:1.25",
                                    .labels = {{"app", "a=b"}, {"bundle", "/srv/web"}}}));
  EXPECT_EQ(record->cgroup, "/system.slice/runc-web.scope");
  const auto hybrid = parse_runc_state(
      R"({"id":"web","cgroup_paths":{"":"/sys/fs/cgroup/unified/web","pids":"/sys/fs/cgroup/pids/web"}})",
      {});
  ASSERT_TRUE(hybrid);
  EXPECT_EQ(hybrid->cgroup, "/web");
  const auto legacy = parse_runc_state(
      R"({"id":"web","cgroup_paths":{"memory":"/sys/fs/cgroup/memory/web","pids":"/sys/fs/cgroup/pids/web"}})",
      {});
  ASSERT_TRUE(legacy);
  EXPECT_EQ(legacy->cgroup, "/web");
  const auto elsewhere = parse_runc_state(R"({"id":"web","cgroup_paths":{"":"/elsewhere/web"}})", {});
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(elsewhere->cgroup, "");
}

TEST(RuntimeMetadata, Crun) {
  const auto record = parse_crun_status(
      R"({"pid":4711,"cgroup-path":"/web","scope":"","rootfs":"/srv/web/rootfs","systemd-cgroup":false,
          "bundle":"/srv/web","created":"2026-01-01T00:00:00Z","detached":true,"external_descriptors":"[]"})");
  EXPECT_EQ(good(record), (Metadata{.runtime = "crun"}));
  EXPECT_EQ(record->cgroup, "/web");
}

TEST(RuntimeMetadata, MembersOfAnotherTypeAreNotKnown) {
  EXPECT_EQ(good(parse_docker_config(R"({"Name":7,"Config":[]})", {"app"})), (Metadata{.runtime = "docker"}));
  EXPECT_EQ(good(parse_docker_config(R"({"Name":null,"Config":{"Image":{},"Labels":{"app":1}}})", {"app"})),
            (Metadata{.runtime = "docker"}));
  EXPECT_EQ(good(parse_oci_config(R"({"annotations":"x","linux":7})", {})), Metadata{});
  EXPECT_EQ(good(parse_oci_config(R"({"annotations":{"io.kubernetes.cri-o.Labels":"[1]"}})", {"a"})),
            Metadata{});
  EXPECT_EQ(good(parse_runc_state(R"({"id":[],"config":{"labels":{}},"cgroup_paths":[]})", {})),
            (Metadata{.runtime = "runc"}));
}

TEST(RuntimeMetadataDamaged, IsAnErrorAndNoMore) {
  for (const std::string& text : {std::string(), std::string("{"), std::string(R"({"Name":"/web")"),
                                  std::string("[]"), std::string("7"), std::string("\0\xff", 2)}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(parse_docker_config(text, {}));
    EXPECT_FALSE(parse_oci_config(text, {}));
    EXPECT_FALSE(parse_runc_state(text, {}));
    EXPECT_FALSE(parse_crun_status(text));
  }
  EXPECT_FALSE(parse_container_list("{}"));
  const auto error = parse_docker_config(R"({"Name":)", {});
  ASSERT_FALSE(error);
  EXPECT_THAT(error.error().message, HasSubstr("at byte 8"));
}

// A recursive parser would be out of stack.
TEST(RuntimeMetadataDamaged, DepthEndsInAnError) {
  const std::string deep(4U << 20, '[');
  EXPECT_FALSE(parse_container_list(deep));
  std::string closed = std::string(1U << 20, '[') + std::string(1U << 20, ']');
  EXPECT_TRUE(parse_container_list(closed));
}

TEST(RuntimeMetadataDamaged, LongTextsAreCutBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 200; i++) {
    name += "\xc3\xa4";
  }
  const auto metadata =
      good(parse_docker_config(R"({"Name":")" + name + R"(","Config":{"Image":")" + std::string(5000, 'i') +
                                   R"(","Labels":{"app":")" + std::string(5000, 'l') + R"("}}})",
                               {"app"}));
  EXPECT_EQ(metadata.container, name.substr(0, 254));
  EXPECT_EQ(metadata.image.size(), 512U);
  ASSERT_EQ(metadata.labels.size(), 1U);
  EXPECT_EQ(metadata.labels[0].second.size(), 1024U);
}

TEST(RuntimeMetadata, FillInTakesOnlyWhatIsMissing) {
  Metadata metadata{.container = "nginx", .pod_uid = "1"};
  fill_in(metadata, {.runtime = "crio",
                     .container = "k8s_nginx",
                     .image = "i",
                     .pod_name = "p",
                     .pod_namespace = "n",
                     .pod_uid = "2",
                     .labels = {{"a", "b"}}});
  EXPECT_EQ(metadata, (Metadata{.runtime = "crio",
                                .container = "nginx",
                                .image = "i",
                                .pod_name = "p",
                                .pod_namespace = "n",
                                .pod_uid = "1",
                                .labels = {{"a", "b"}}}));
}

TEST(RuntimeMetadata, NamesForPeople) {
  EXPECT_EQ(display_name({}), "");
  EXPECT_EQ(display_name({.container = "web"}), "web");
  EXPECT_EQ(display_name({.pod_name = "web-0"}), "");
}

}  // namespace
}  // namespace isoscope::identity
