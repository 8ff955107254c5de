// SPDX-License-Identifier: Apache-2.0
// compare_roads FILE: whether both roads out of the kernel tell the same. FILE is the NDJSON of a run with
// `--events exits`: the histograms of its `vm_exits` records came through maps, its `vm_exit` records through
// the ring. Counts, sums and every bucket must be equal per thread and reason. Exit status 1: they are not.
#include <rapidjson/document.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <tuple>

#include "aggregate/histogram.h"

namespace {

using isoscope::aggregate::DurationStats;
using Key = std::tuple<std::string, unsigned, std::string>;  // VM, vCPU, reason
using Table = std::map<Key, DurationStats>;

Key key_of(const rapidjson::Document& record) {
  return {record["vm"]["id"].GetString(), record["vcpu"].GetUint(), record["reason"].GetString()};
}

void add_mapped(const rapidjson::Document& record, Table& mapped) {
  DurationStats stats;
  stats.count = record["finished"].GetUint64();
  stats.sum_ns = record["sum_ns"].GetUint64();
  const auto& hist = record["hist"];
  const int first = hist["offset"].GetInt() - ISOSCOPE_HIST_OFFSET;
  auto bucket = static_cast<std::size_t>(first);
  for (const auto& count : hist["counts"].GetArray()) {
    stats.buckets.at(bucket++) = count.GetUint64();
  }
  if (stats.count > 0) {
    mapped[key_of(record)].merge(stats);
  }
}

bool read(const char* path, Table& mapped, Table& streamed) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    rapidjson::Document record;
    record.Parse(line.c_str());
    if (record.HasParseError()) {
      std::printf("not JSON: %s\n", line.c_str());
      return false;
    }
    const std::string type = record["type"].GetString();
    if (type == "vm_exits") {
      add_mapped(record, mapped);
    } else if (type == "vm_exit") {
      streamed[key_of(record)].add(record["duration_ns"].GetUint64());
    }
  }
  return true;
}

int compare(const Table& mapped, const Table& streamed) {
  int differences = mapped.size() == streamed.size() ? 0 : 1;
  std::uint64_t exits = 0;
  for (const auto& [key, stats] : mapped) {
    const auto found = streamed.find(key);
    const DurationStats other = found == streamed.end() ? DurationStats{} : found->second;
    exits += stats.count;
    if (stats.count != other.count || stats.sum_ns != other.sum_ns || stats.buckets != other.buckets) {
      std::printf("vcpu %u %s: maps %llu exits %llu ns, ring %llu exits %llu ns\n", std::get<1>(key),
                  std::get<2>(key).c_str(), static_cast<unsigned long long>(stats.count),
                  static_cast<unsigned long long>(stats.sum_ns), static_cast<unsigned long long>(other.count),
                  static_cast<unsigned long long>(other.sum_ns));
      ++differences;
    }
  }
  std::printf("%zu rows by maps, %zu by ring, %llu exits, %d differences\n", mapped.size(), streamed.size(),
              static_cast<unsigned long long>(exits), differences);
  return differences == 0 && exits > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: compare_roads FILE\n", stderr);
    return 2;
  }
  Table mapped;
  Table streamed;
  return read(argv[1], mapped, streamed) ? compare(mapped, streamed) : 1;
}
