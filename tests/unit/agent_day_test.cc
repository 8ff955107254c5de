// SPDX-License-Identifier: Apache-2.0
// A day of a host in windows of 5 s, as fast as it goes: containers and VMs come, work and go, and what the
// agent keeps of them goes with them. The kernel is left out: records and readings are made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aggregate/exits.h"
#include "aggregate/ledger.h"
#include "aggregate/sched.h"
#include "aggregate/totals.h"
#include "identity_world.h"
#include "sink/sink.h"

namespace isoscope::agent {
namespace {

#ifdef ISOSCOPE_SANITIZED
// The sanitizer is there for what is read and written, and tells of leaks at the end; an hour has all of
// that. The tables are not full by then, so what is allocated still grows.
constexpr std::uint32_t windows = 720;
constexpr bool tables_fill = false;
#else
constexpr std::uint32_t windows = 17'280;
constexpr bool tables_fill = true;
#endif

std::size_t allocated_bytes() {
  return ::mallinfo2().uordblks;
}

// From here on every table of a whole day is as full as it gets; that of namespaces the host made
// (NamespaceIndex) takes longest.
constexpr std::uint32_t first_measured = windows / 3;
constexpr std::uint64_t window_ns = 5'000'000'000;
constexpr std::size_t alive = 6;         // containers at a time
constexpr std::uint32_t born_every = 2;  // windows; so many containers end as well

sink::OutputFile opened(const std::string& path) {
  auto output = sink::OutputFile::create(path);
  EXPECT_TRUE(output);
  return std::move(*output);
}

class Day {
 public:
  Day() {
    sinks_.push_back(sink::make_sink(config::Format::ndjson, opened("/dev/null"), clock_, {}));
    sinks_.push_back(sink::make_sink(config::Format::table, opened("/dev/null"), clock_, {}));
    auto page = sink::OutputFile::create_published("page", [this](std::string_view text) { page_ = text; });
    sinks_.push_back(sink::make_sink(config::Format::prom, std::move(page), clock_, {}));
  }

  void live_a_window() {
    ++window_;
    if (window_ % born_every == 0) {
      begin_container();
      if (cells_.size() > alive) {
        end_container();
      }
    }
    close_window();
  }

  std::size_t units() const { return world_.units.size(); }
  const std::string& page() const { return page_; }

 private:
  void report(const sink::Report& report) {
    for (const auto& sink : sinks_) {
      sink->take(report);
    }
  }

  void report_changes() {
    for (const identity::Unit& unit : world_.changes) {
      report(sink::UnitReport{now_ns(), unit});
    }
  }

  void begin_container() {
    std::string id = std::to_string(window_);
    id.insert(0, 64 - id.size(), 'a');
    const auto init = world_.run_container("/docker/" + id);
    report_changes();
    isoscope_sched_cell cell{};
    cell.account = init.cgroup;
    cells_.push_back(cell);
    vcpu_ = {};
    vcpu_.index = window_ / born_every % 2047 + 1;
    vcpu_.vcpu.tgid = init.pid;
    vcpu_.vcpu.tid = init.pid + 1;
    vcpu_.vcpu.start_ns = now_ns();
    vcpu_.cells.emplace_back();
  }

  void end_container() {
    const std::uint64_t account = cells_.front().account;
    cells_.pop_front();
    world_.rmdir(account);
    report_changes();
    sched_.forget(account);
  }

  void work() {
    for (isoscope_sched_cell& cell : cells_) {
      cell.voluntary += 1000;
      cell.on_cpu_ns += 20'000'000;
      cell.waits_ns += 1'000'000;
      cell.wait_buckets[window_ % ISOSCOPE_HIST_BUCKETS] += 1000;
    }
    if (!vcpu_.cells.empty()) {
      isoscope_exit_cell& cell = vcpu_.cells.front();
      cell.sum_ns += 1'000'000;
      cell.buckets[window_ % ISOSCOPE_HIST_BUCKETS] += 100;
    }
  }

  void close_window() {
    work();
    aggregate::Snapshot window;
    window.window = window_;
    window.start_mono_ns = now_ns() - window_ns;
    window.end_mono_ns = now_ns();
    probe::SchedReading reading;
    reading.cells.emplace_back();
    reading.cells.insert(reading.cells.end(), cells_.begin(), cells_.end());
    reading.taken_ns = now_ns();
    window.sched = aggregate::fold_by_unit(
        sched_.close(reading, window.start_mono_ns),
        [this](std::uint64_t account) { return world_.units.ref_of_cgroup(account); });
    window.vm_exits = exits_.close({&vcpu_, vcpu_.cells.empty() ? 0U : 1U}, window_).rows;
    window.ledger = ledger_.close({}, 0, window_ * 1000);
    totals_.add_ledger_of(window);
    report(window);
    world_.units.expire();
  }

  std::uint64_t now_ns() const { return window_ * window_ns; }

  base::WallClock clock_{0};
  identity::testing::World world_;
  aggregate::SchedWindows sched_;
  aggregate::ExitWindows exits_;
  aggregate::LedgerBook ledger_;
  aggregate::Totals totals_;
  std::vector<std::unique_ptr<sink::Sink>> sinks_;
  std::string page_;
  std::deque<isoscope_sched_cell> cells_;
  probe::VcpuReading vcpu_;
  std::uint32_t window_ = 0;
};

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Day, MemoryAndSeriesAreAtTheEndWhatTheyWereInTheBeginning) {
  Day day;
  for (std::uint32_t i = 0; i < first_measured; ++i) {
    day.live_a_window();
  }
  const std::size_t bytes = allocated_bytes();
  const std::size_t units = day.units();
  const std::size_t series = lines_of(day.page());
  EXPECT_GT(series, alive);
  for (std::uint32_t i = first_measured; i < windows; ++i) {
    day.live_a_window();
  }
  EXPECT_EQ(day.units(), units);
  EXPECT_EQ(lines_of(day.page()), series);
  if (tables_fill) {
    EXPECT_LT(allocated_bytes(), bytes + 64 * 1024)
        << (windows - first_measured) / born_every << " containers have come and gone since";
  }
}

}  // namespace
}  // namespace isoscope::agent
