// SPDX-License-Identifier: Apache-2.0
// compare_roads FILE: whether both roads out of the kernel tell the same. FILE is the NDJSON of a run with
// `--events exits`: its `vm_exits` records came through maps, its `vm_exit` records through the ring. Counts,
// sums, the parts of the sums and every bucket must be equal per thread and reason. Exit status 1: they are
// not.
#include <rapidjson/document.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "aggregate/exit_stream.h"

namespace {

using isoscope::aggregate::ExitStream;
using isoscope::aggregate::VmExitsRow;
using isoscope::event::Split;
using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, bool, std::uint32_t>;

Key key_of(const VmExitsRow& row) {
  return {row.vm.pid, row.vcpu_id, row.tid, row.other, row.reason};
}

Split split_of(const rapidjson::Document& record) {
  const auto& split = record["split"];
  return Split{.halted_ns = split["halted_ns"].GetUint64(),
               .userspace_ns = split["userspace_ns"].GetUint64(),
               .preempted_ns = split["preempted_ns"].GetUint64()};
}

// One window's row. That of `other` has no reason, and no buckets: the stream has nothing that is equal to
// it.
void add_mapped(const rapidjson::Document& record, std::map<Key, VmExitsRow>& mapped) {
  VmExitsRow row;
  row.vm.pid = record["vm"]["pid"].GetUint();
  row.vcpu_id = record["vcpu"].GetUint();
  row.tid = record["tid"].GetUint();
  row.other = record["reason_code"].IsNull();
  row.reason = row.other ? 0 : record["reason_code"].GetUint();
  row.stats.count = record["finished"].GetUint64();
  row.stats.sum_ns = record["sum_ns"].GetUint64();
  const auto& hist = record["hist"];
  auto bucket = static_cast<std::size_t>(hist["offset"].GetInt() - ISOSCOPE_HIST_OFFSET);
  for (const auto& count : hist["counts"].GetArray()) {
    row.stats.buckets.at(bucket++) = count.GetUint64();
  }
  if (row.stats.count > 0) {
    VmExitsRow& total = mapped[key_of(row)];
    total.stats.merge(row.stats);
    total.split.add(split_of(record));
  }
}

void add_streamed(const rapidjson::Document& record, ExitStream& streamed) {
  isoscope::event::Meta meta;
  meta.tgid = record["vm"]["pid"].GetUint();
  meta.tid = record["tid"].GetUint();
  isoscope::event::VmExit exit;
  exit.duration_ns = record["duration_ns"].GetUint64();
  exit.split = split_of(record);
  exit.vcpu_id = record["vcpu"].GetUint();
  exit.reason = record["reason_code"].GetUint();
  streamed.add(meta, exit);
}

bool read(const char* path, std::map<Key, VmExitsRow>& mapped, ExitStream& streamed) {
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
      add_streamed(record, streamed);
    }
  }
  return true;
}

// Null when the rows are equal.
const char* difference(const VmExitsRow& a, const VmExitsRow& b) {
  if (a.stats.count != b.stats.count) {
    return "counts";
  }
  if (a.stats.sum_ns != b.stats.sum_ns) {
    return "sums";
  }
  if (a.split != b.split) {
    return "parts of the sum";
  }
  return a.stats.buckets == b.stats.buckets ? nullptr : "buckets";
}

// Exit status of the program.
int compare(const std::map<Key, VmExitsRow>& mapped, const std::vector<VmExitsRow>& streamed) {
  std::map<Key, VmExitsRow> by_key;
  for (const VmExitsRow& row : streamed) {
    by_key[key_of(row)] = row;
  }
  int differences = mapped.size() == by_key.size() ? 0 : 1;
  std::uint64_t exits = 0;
  for (const auto& [key, row] : mapped) {
    const VmExitsRow& other = by_key[key];
    exits += row.stats.count;
    if (const char* const what = difference(row, other)) {
      std::printf("thread %u reason %u: %s differ: maps %llu exits %llu ns, ring %llu exits %llu ns\n",
                  std::get<2>(key), std::get<4>(key), what, static_cast<unsigned long long>(row.stats.count),
                  static_cast<unsigned long long>(row.stats.sum_ns),
                  static_cast<unsigned long long>(other.stats.count),
                  static_cast<unsigned long long>(other.stats.sum_ns));
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
  std::map<Key, VmExitsRow> mapped;
  ExitStream streamed;
  return read(argv[1], mapped, streamed) ? compare(mapped, streamed.rows()) : 1;
}
