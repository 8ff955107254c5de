// SPDX-License-Identifier: Apache-2.0
#include "config/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace isoscope::config {
namespace {

using base::ErrorKind;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

const Environment usual = {.no_color = false,
                           .exit_reasons = {"npf", "hlt", "DE excp", "HLT", "EPT_VIOLATION", "other"}};

base::Result<Config> parse(const std::vector<const char*>& arguments,
                           const Environment& environment = usual) {
  std::vector<const char*> argv = {"isoscope"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return parse_command_line(static_cast<int>(argv.size()), argv.data(), environment);
}

Config good(const std::vector<const char*>& arguments, const Environment& environment = usual) {
  base::Result<Config> parsed = parse(arguments, environment);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().message;
    return {};
  }
  return *parsed;
}

std::string outputs_of(const Config& config) {
  std::string text;
  for (const Output& output : config.outputs) {
    text += output.path +
            (!output.format                    ? "?"
             : *output.format == Format::table ? ":table"
             : *output.format == Format::prom  ? ":prom"
                                               : ":ndjson") +
            " ";
  }
  return text;
}

TEST(CommandLine, PolicyCommands) {
  const Config validate = good({"policy", "validate", "a.yaml", "b"});
  EXPECT_EQ(validate.command, Command::policy_validate);
  EXPECT_THAT(validate.arguments, ElementsAre("a.yaml", "b"));
  EXPECT_THAT(good({"policy", "validate"}).arguments, testing::IsEmpty());
  EXPECT_EQ(good({"policy", "explain", "--", "-x"}).command, Command::policy_explain);
  EXPECT_THAT(good({"policy", "explain", "--", "-x"}).arguments, ElementsAre("-x"));
  const Config test = good({"policy", "test", "p.yaml", "r.ndjson"});
  EXPECT_EQ(test.command, Command::policy_test);
  EXPECT_THAT(test.arguments, ElementsAre("p.yaml", "r.ndjson"));
  for (const auto& arguments : std::vector<std::vector<const char*>>{{"policy", "--help"},
                                                                     {"policy", "-h"},
                                                                     {"policy", "test", "--help"},
                                                                     {"help", "policy"},
                                                                     {"help", "policy", "test"}}) {
    EXPECT_EQ(good(arguments).command, Command::help);
    EXPECT_THAT(good(arguments).help_text, HasSubstr("isoscope policy test POLICY.yaml RECORDED.ndjson"));
  }
}

TEST(CommandLine, PoliciesOfARun) {
  const Config config = good({"run", "--policy", "a.yaml", "--policy=b", "--fail-on", "high"});
  EXPECT_THAT(config.policies, ElementsAre("a.yaml", "b"));
  EXPECT_EQ(config.fail_on, FailOn::high);
  EXPECT_EQ(good({"run"}).fail_on, FailOn::never);
  EXPECT_THAT(good({"run"}).policies, testing::IsEmpty());
}

TEST(CommandLine, ACommandToRun) {
  const Config config = good({"run", "-v", "--fail-on", "high", "--", "sh", "-c", "exit 3", "--", "--help"});
  EXPECT_EQ(config.command, Command::run);
  EXPECT_THAT(config.arguments, ElementsAre("sh", "-c", "exit 3", "--", "--help"));
  EXPECT_EQ(config.verbosity, 1);
  EXPECT_THAT(good({"run", "--", "-v"}).arguments, ElementsAre("-v"));
  EXPECT_EQ(good({"run", "--", "-v"}).verbosity, 0);
  EXPECT_THAT(good({"run"}).arguments, testing::IsEmpty());
}

TEST(CommandLine, StandardOutputIsTheCommands) {
  const auto outputs = [](const std::vector<const char*>& arguments) {
    std::vector<std::pair<std::string, std::optional<Format>>> all;
    for (const Output& output : good(arguments).outputs) {
      all.emplace_back(output.path, output.format);
    }
    return all;
  };
  using Outputs = decltype(outputs({"run"}));
  EXPECT_EQ(outputs({"run"}), (Outputs{{"-", std::nullopt}}));
  EXPECT_EQ(outputs({"run", "--", "ls"}), (Outputs{{"/dev/stderr", Format::table}}));
  EXPECT_EQ(outputs({"run", "-f", "ndjson", "--", "ls"}), (Outputs{{"/dev/stderr", Format::ndjson}}));
  EXPECT_EQ(outputs({"run", "-o", "-", "--", "ls"}), (Outputs{{"-", std::nullopt}}));
}

TEST(WrongCommandLine, OfPolicies) {
  const std::pair<std::vector<const char*>, const char*> all[] = {
      {{"policy"}, "isoscope policy needs a command: validate, test, explain\nsee isoscope policy --help"},
      {{"policy", "chek"}, "unknown command \"policy chek\"; there are validate, test, explain"},
      {{"policy", "expain"}, "did you mean isoscope policy explain?"},
      {{"policy", "test"}, "isoscope policy test needs POLICY.yaml RECORDED.ndjson"},
      {{"policy", "test", "a"}, "isoscope policy test needs POLICY.yaml RECORDED.ndjson"},
      {{"policy", "test", "a", "b", "c"},
       "unexpected argument \"c\": isoscope policy test takes POLICY.yaml"},
      {{"policy", "validate", "--duration", "1s"}, "isoscope policy validate has no option --duration"},
      {{"polcy"}, "did you mean policy?"},
      {{"run", "a.yaml"},
       "unexpected argument \"a.yaml\": isoscope run takes options, and a command behind --"},
      {{"run", "--policy", ""}, "is empty"},
      {{"run", "--fail-on", "worst"}, "is not one of low, medium, high, critical"},
  };
  for (const auto& [arguments, expected] : all) {
    const auto parsed = parse(arguments);
    ASSERT_FALSE(parsed) << expected;
    EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
    EXPECT_THAT(parsed.error().message, HasSubstr(expected));
  }
}

TEST(CommandLine, RunHasSaneDefaults) {
  const Config config = good({"run"});
  EXPECT_EQ(config.command, Command::run);
  EXPECT_EQ(outputs_of(config), "-? ");
  EXPECT_EQ(config.interval, seconds(5));
  EXPECT_EQ(config.duration, nanoseconds(0));
  EXPECT_EQ(config.slow_exit, nanoseconds(0));
  EXPECT_FALSE(config.streams.exits || config.streams.switches || config.streams.cgroups ||
               config.streams.crossings);
  EXPECT_EQ(config.top, 10U);
  EXPECT_EQ(config.sort, SortKey::time);
  EXPECT_EQ(config.verbosity, 0);
  EXPECT_EQ(config.color, ColorMode::automatic);
  EXPECT_EQ(config.data_ring_bytes, 0U);
  EXPECT_EQ(config.exit_histograms, 4096U);
  EXPECT_EQ(config.accounts, 3072U);
}

TEST(CommandLine, ReadsEveryOptionOfRun) {
  const Config config = good({"run",         "-o",
                              "a.log",       "-i",
                              "250ms",       "--duration=1.5m",
                              "--slow-exit", "1ms",
                              "--events",    "exits,crossings",
                              "--vm",        "web",
                              "--vm",        "db*",
                              "--container", "0123456789ab",
                              "--cgroup",    "/system.slice/",
                              "--pid",       "17",
                              "--pid",       "18",
                              "--unit",      "ssh*",
                              "--vcpu",      "0,2-3",
                              "--vcpu",      "7",
                              "--reason",    "Npf,0x400",
                              "--reason",    "ept_*",
                              "--top",       "0",
                              "--sort",      "name",
                              "-v",          "--color",
                              "never",       "--exit-histograms",
                              "30000",       "--accounts",
                              "100",         "--data-ring",
                              "4M",          "--label",
                              "app",         "--label",
                              "a.b/c"});
  EXPECT_EQ(outputs_of(config), "a.log? ");
  EXPECT_EQ(config.interval, milliseconds(250));
  EXPECT_EQ(config.duration, seconds(90));
  EXPECT_EQ(config.slow_exit, milliseconds(1));
  EXPECT_TRUE(config.streams.exits && config.streams.crossings);
  EXPECT_FALSE(config.streams.switches || config.streams.cgroups);
  EXPECT_THAT(config.filters.vm, ElementsAre("web", "db*"));
  EXPECT_THAT(config.filters.container, ElementsAre("0123456789ab"));
  EXPECT_THAT(config.filters.cgroup, ElementsAre("/system.slice"));
  EXPECT_THAT(config.filters.pid, ElementsAre(17, 18));
  EXPECT_THAT(config.filters.unit, ElementsAre("ssh*"));
  EXPECT_THAT(config.filters.vcpu, ElementsAre(VcpuRange{0, 0}, VcpuRange{2, 3}, VcpuRange{7, 7}));
  EXPECT_THAT(config.filters.reason, ElementsAre("Npf", "0x400", "ept_*"));
  EXPECT_EQ(config.top, 0U);
  EXPECT_EQ(config.sort, SortKey::name);
  EXPECT_EQ(config.verbosity, 1);
  EXPECT_EQ(config.color, ColorMode::never);
  EXPECT_EQ(config.data_ring_bytes, 4U << 20);
  EXPECT_EQ(config.exit_histograms, 30'000U);
  EXPECT_EQ(config.accounts, 100U);
  EXPECT_THAT(config.labels, ElementsAre("app", "a.b/c"));
}

TEST(CommandLine, ReadsEveryOptionOfMatrix) {
  const Config usual_one = good({"matrix"});
  EXPECT_EQ(usual_one.command, Command::matrix);
  EXPECT_FALSE(usual_one.json || usual_one.all);
  EXPECT_EQ(usual_one.fail_on, FailOn::never);
  const Config config = good({"matrix",   "-f",    "json",    "--vm",  "web",       "--container", "db",
                              "--cgroup", "/lab/", "--unit",  "w*",    "--fail-on", "high",        "--all",
                              "--top",    "3",     "--color", "never", "--format",  "json",        "-q"});
  EXPECT_TRUE(config.json && config.all);
  EXPECT_EQ(config.fail_on, FailOn::high);
  EXPECT_THAT(config.filters.vm, ElementsAre("web"));
  EXPECT_THAT(config.filters.container, ElementsAre("db"));
  EXPECT_THAT(config.filters.cgroup, ElementsAre("/lab"));
  EXPECT_THAT(config.filters.unit, ElementsAre("w*"));
  EXPECT_EQ(config.top, 3U);
  EXPECT_EQ(config.color, ColorMode::never);
  EXPECT_EQ(config.verbosity, -1);
  EXPECT_FALSE(good({"matrix", "-f", "json", "-f", "table"}).json) << "the last one wins";
  EXPECT_EQ(good({"matrix", "--fail-on=critical"}).fail_on, FailOn::critical);
}

TEST(CommandLine, FormatAppliesToTheOutputsAfterIt) {
  EXPECT_EQ(outputs_of(good({"run", "-f", "ndjson", "-o", "a", "-o", "b", "-f", "table", "-o", "c"})),
            "a:ndjson b:ndjson c:table ");
  EXPECT_EQ(outputs_of(good({"run", "-o", "a", "-f", "ndjson", "-o", "b"})), "a? b:ndjson ");
}

TEST(CommandLine, FormatWithNoOutputAfterItIsForTheLastOrTheDefaultOne) {
  EXPECT_EQ(outputs_of(good({"run", "-f", "ndjson"})), "-:ndjson ");
  EXPECT_EQ(outputs_of(good({"run", "-f", "ndjson", "-f", "table"})), "-:table ");
  EXPECT_EQ(outputs_of(good({"run", "-o", "a", "-o", "b", "-f", "ndjson"})), "a? b:ndjson ");
  EXPECT_EQ(outputs_of(good({"run", "-f", "table", "-o", "a", "-f", "ndjson"})), "a:ndjson ");
  EXPECT_EQ(outputs_of(good({"run", "-f", "prom", "-o", "a.prom"})), "a.prom:prom ");
}

TEST(CommandLine, EventsAddUp) {
  Streams streams = good({"run", "--events", "exits", "--events", "switches,cgroups"}).streams;
  EXPECT_TRUE(streams.exits && streams.switches && streams.cgroups);
  EXPECT_FALSE(streams.crossings);
  streams = good({"run", "--events", "all"}).streams;
  EXPECT_TRUE(streams.exits && streams.switches && streams.cgroups && streams.crossings);
  EXPECT_TRUE(streams.accesses && streams.attempts);
  EXPECT_FALSE(good({"run", "--events", "accesses"}).streams.attempts);
  EXPECT_TRUE(good({"run", "--events", "attempts"}).streams.attempts);
}

TEST(CommandLine, BottleneckThresholdsAddUp) {
  EXPECT_EQ(good({"run"}).bottleneck, (BottleneckThresholds{0.10, 0.05, 0.10}));
  EXPECT_EQ(good({"run", "--bottleneck", "cpu=25%,io=1.5%"}).bottleneck,
            (BottleneckThresholds{0.25, 0.05, 0.015}));
  EXPECT_EQ(good({"run", "--bottleneck", "cpu=25%", "--bottleneck", "memory=100%,cpu=30%"}).bottleneck,
            (BottleneckThresholds{0.3, 1, 0.10}));
}

TEST(CommandLine, CgroupPathsMayNameTheMount) {
  const auto& cgroups = good({"run", "--cgroup", "/sys/fs/cgroup/a.slice", "--cgroup", "/sys/fs/cgroup",
                              "--cgroup", "/sys/fs/cgroups", "--cgroup", "/"})
                            .filters.cgroup;
  EXPECT_THAT(cgroups, ElementsAre("/a.slice", "/", "/sys/fs/cgroups", "/"));
}

TEST(CommandLine, VerbosityAndQuiet) {
  EXPECT_EQ(good({"run", "-v", "-v"}).verbosity, 2);
  EXPECT_EQ(good({"run", "-vv"}).verbosity, 2);
  EXPECT_EQ(good({"run", "--verbose", "--verbose"}).verbosity, 2);
  EXPECT_EQ(good({"run", "-q"}).verbosity, -1);
  EXPECT_EQ(good({"run", "-q", "-v"}).verbosity, 1);
}

TEST(CommandLine, TheLastOfASingleOptionWins) {
  EXPECT_EQ(good({"run", "-i", "1s", "-i", "2s"}).interval, seconds(2));
}

TEST(CommandLine, NoColorHoldsUnlessColourIsAskedFor) {
  const Environment no_color = {.no_color = true, .exit_reasons = {}};
  EXPECT_EQ(good({"run"}, no_color).color, ColorMode::never);
  EXPECT_EQ(good({"run", "--color", "auto"}, no_color).color, ColorMode::never);
  EXPECT_EQ(good({"run", "--color", "always"}, no_color).color, ColorMode::always);
}

TEST(CommandLine, OtherCommands) {
  EXPECT_EQ(good({"check", "--json", "-v"}).command, Command::check);
  EXPECT_TRUE(good({"check", "--json"}).json);
  EXPECT_EQ(good({"version"}).command, Command::version);
  EXPECT_FALSE(good({"version"}).json);
  EXPECT_EQ(good({"--version"}).command, Command::version);
  EXPECT_TRUE(good({"--version", "--json"}).json);
}

TEST(CommandLine, HelpIsEverywhere) {
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{"help"}, {"--help"}, {"-h"}, {"help", "help"}}) {
    const Config config = good(arguments);
    EXPECT_EQ(config.command, Command::help);
    EXPECT_THAT(config.help_text, HasSubstr("Usage: isoscope COMMAND"));
  }
  for (const char* command : {"run", "check", "version"}) {
    const std::string usage = std::string("Usage: isoscope ") + command;
    EXPECT_THAT(good({command, "--help"}).help_text, HasSubstr(usage));
    EXPECT_THAT(good({command, "-h"}).help_text, HasSubstr(usage));
    EXPECT_THAT(good({"help", command}).help_text, HasSubstr(usage));
    EXPECT_EQ(good({command, "--help"}).command, Command::help);
  }
  EXPECT_EQ(good({"run", "-i", "bad", "--help"}).command, Command::help) << "who asks for help gets it";
}

TEST(CommandLine, HelpFitsATerminalAndNamesEveryOption) {
  for (const char* command : {"run", "check", "matrix", "version", "help"}) {
    std::istringstream lines(good({"help", command}).help_text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 80U) << line;
    }
  }
  const std::string help = good({"run", "--help"}).help_text;
  for (const char* option :
       {"-c, --config", "-o, --output", "-f, --format",  "-d, --duration", "-i, --interval",
        "--events",     "--slow-exit",  "--vm",          "--container",    "--cgroup",
        "--pid",        "--unit",       "--vcpu",        "--reason",       "--top",
        "--sort",       "-q, --quiet",  "-v, --verbose", "--color",        "--exit-histograms",
        "--data-ring",  "--label",      "-h, --help"}) {
    EXPECT_THAT(help, HasSubstr(option));
  }
  const std::string of_matrix = good({"matrix", "--help"}).help_text;
  for (const char* option :
       {"-f, --format FORMAT  ", "table, or json", "--top", "--color", "--vm", "--container", "--cgroup",
        "--unit", "--all", "--fail-on SEVERITY", "-q, --quiet"}) {
    EXPECT_THAT(of_matrix, HasSubstr(option));
  }
}

struct Wrong {
  std::vector<const char*> arguments;
  const char* first_line;
  const char* hint;
};

void expect_usage_error(const Wrong& bad) {
  SCOPED_TRACE(bad.first_line);
  const auto parsed = parse(bad.arguments);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
  EXPECT_EQ(parsed.error().message, std::string(bad.first_line) + "\nsee " + bad.hint);
}

constexpr const char* main_hint = "isoscope --help";
constexpr const char* run_hint = "isoscope run --help";
constexpr const char* matrix_hint = "isoscope matrix --help";
constexpr const char* duration_forms =
    "is not a duration: a number with a unit (ns, us, ms, s, m or h), such as 500ms or 1.5s";
const std::string bad_duration = std::string("--duration soon ") + duration_forms;
const std::string negative_duration = std::string("--duration -5s ") + duration_forms;
const std::string attached_duration = std::string("--duration =5s ") + duration_forms;

TEST(WrongCommandLine, Commands) {
  const Wrong all[] = {
      {{}, "no command given: run, check, matrix, policy, config, version or help", main_hint},
      {{"rnu"}, "unknown command \"rnu\"; did you mean run?", main_hint},
      {{"trace"},
       "unknown command \"trace\"; the commands are run, check, matrix, policy, config, version, help",
       main_hint},
      {{""},
       "unknown command \"\"; the commands are run, check, matrix, policy, config, version, help",
       main_hint},
      {{"\x1b[2J"},
       "unknown command \"?[2J\"; the commands are run, check, matrix, policy, config, version, help",
       main_hint},
      {{"help", "chek"}, "unknown command \"chek\"; did you mean check?", main_hint},
      {{"help", "run", "x"}, "unexpected argument \"x\"", main_hint},
      {{"-f", "ndjson"}, "-f before the command: options follow it, as in isoscope run -f", main_hint},
      {{"--verson"}, "unknown option --verson; did you mean --version?", main_hint},
      {{"-x"}, "unknown option -x", main_hint}};
  for (const Wrong& bad : all) {
    expect_usage_error(bad);
  }
}

TEST(WrongCommandLine, Options) {
  const Wrong all[] = {
      {{"run", "--intervall", "5s"}, "unknown option --intervall; did you mean --interval?", run_hint},
      {{"run", "--intervall=5s"}, "unknown option --intervall; did you mean --interval?", run_hint},
      {{"run", "--inter", "5s"}, "unknown option --inter; did you mean --interval?", run_hint},
      {{"run", "--prometheus"}, "unknown option --prometheus", run_hint},
      {{"run", "-top", "3"}, "unknown option -top; did you mean --top?", run_hint},
      {{"run", "-x"}, "unknown option -x", run_hint},
      {{"run", "-vx"}, "unknown option -x in -vx", run_hint},
      {{"run", "web"},
       "unexpected argument \"web\": isoscope run takes options, and a command behind --",
       run_hint},
      {{"run", "-v", "--"}, "-- needs a command behind it: isoscope run -- COMMAND [ARGUMENT]...", run_hint},
      {{"run", "--", ""}, "-- needs a command behind it: isoscope run -- COMMAND [ARGUMENT]...", run_hint},
      {{"run", "-o", "--", "ls"}, "--output needs a value: --output FILE|-", run_hint},
      {{"check", "--", "ls"},
       "unexpected argument \"ls\": isoscope check takes options only",
       "isoscope check --help"},
      {{"run", "-"},
       "unexpected argument \"-\": isoscope run takes options, and a command behind --",
       run_hint},
      {{"run", ""},
       "unexpected argument \"\": isoscope run takes options, and a command behind --",
       run_hint},
      {{"run", "-i"}, "--interval needs a value: --interval TIME", run_hint},
      {{"run", "--interval"}, "--interval needs a value: --interval TIME", run_hint},
      {{"run", "-i", "--top", "3"}, "--interval needs a value: --interval TIME", run_hint},
      {{"run", "--output="}, "--output needs a value: --output FILE|-", run_hint},
      {{"run", "--quiet=yes"}, "--quiet takes no value", run_hint},
      {{"run", "--json"},
       "isoscope run has no option --json: it belongs to isoscope check and isoscope version",
       run_hint},
      {{"check", "-i", "1s"},
       "isoscope check has no option --interval: it belongs to isoscope run",
       "isoscope check --help"},
      {{"matrix", "--pid", "1"},
       "isoscope matrix has no option --pid: it belongs to isoscope run",
       matrix_hint},
      {{"run", "--all"}, "isoscope run has no option --all: it belongs to isoscope matrix", run_hint},
      {{"matrix", "--faill-on", "high"}, "unknown option --faill-on; did you mean --fail-on?", matrix_hint},
      {{"version", "--jsno"}, "unknown option --jsno; did you mean --json?", "isoscope version --help"}};
  for (const Wrong& bad : all) {
    expect_usage_error(bad);
  }
}

TEST(WrongCommandLine, Values) {
  const Wrong all[] = {
      {{"run", "-d", "soon"}, bad_duration.c_str(), run_hint},
      {{"run", "-d", "-5s"}, negative_duration.c_str(), run_hint},
      {{"run", "-d=5s"}, attached_duration.c_str(), run_hint},
      {{"run", "-d", "30"}, "--duration 30 needs a unit: 30ns, 30us, 30ms, 30s, 30m or 30h", run_hint},
      {{"run", "-d", "0s"}, "--duration 0s is too short: it must be 1ns or more", run_hint},
      {{"run", "-i", "99ms"}, "--interval 99ms is too short: 100ms is the shortest interval", run_hint},
      {{"run", "-i", "2h"}, "--interval 2h is too long: 1h is the longest interval", run_hint},
      {{"run", "--slow-exit", "9999999h"},
       "--slow-exit 9999999h is too long: the limit is 292 years",
       run_hint},
      {{"run", "-f", "prim"},
       "--format prim is not one of table, ndjson, prom, otlp, otlp-logs, otlp-metrics; did you mean prom?",
       run_hint},
      {{"matrix", "-f", "ndjson"},
       "--format ndjson is not one of table, json; did you mean json?",
       matrix_hint},
      {{"matrix", "--fail-on", "hihg"},
       "--fail-on hihg is not one of low, medium, high, critical; did you mean high?",
       matrix_hint},
      {{"run", "-f", "ndjosn"},
       "--format ndjosn is not one of table, ndjson, prom, otlp, otlp-logs, otlp-metrics; did you mean "
       "ndjson?",
       run_hint},
      {{"run", "--sort", "nmae"},
       "--sort nmae is not one of time, count, name; did you mean name?",
       run_hint},
      {{"run", "--color", "yes"}, "--color yes is not one of auto, always, never", run_hint},
      {{"run", "--events", "exit"},
       "--events exit is not one of exits, switches, cgroups, crossings, accesses, attempts, all; did you "
       "mean exits?",
       run_hint},
      {{"run", "--events", "exits,,cgroups"},
       "--events exits,,cgroups has \"\", which is not one of exits, switches, cgroups, crossings, accesses, "
       "attempts, all",
       run_hint},
      {{"run", "--events", "exits,switchs"},
       "--events exits,switchs has \"switchs\", which is not one of exits, switches, cgroups, "
       "crossings, accesses, attempts, all; did "
       "you mean switches?",
       run_hint},
      {{"run", "--top", "-1"}, "--top -1 is not a whole number from 0 to 1000000", run_hint},
      {{"run", "--top", "ten"}, "--top ten is not a whole number from 0 to 1000000", run_hint},
      {{"run", "--pid", "0"}, "--pid 0 is not a whole number from 1 to 4194304", run_hint},
      {{"run", "--cgroup", "system.slice"},
       "--cgroup system.slice is not a cgroup path: it begins with / (the cgroup root), such as "
       "/system.slice",
       run_hint},
      {{"run", "--vm", ""}, "--vm \"\" is empty", run_hint},
      {{"run", "--vcpu", "one"},
       "--vcpu one is not a vCPU: a number from 0 to 16383, or a range such as 0-3",
       run_hint},
      {{"run", "--vcpu", "0,3-1"}, "--vcpu 0,3-1 has \"3-1\", which ends before it begins", run_hint},
      {{"run", "--reason", "npff"}, "--reason npff is not an exit reason; did you mean npf?", run_hint},
      {{"run", "--reason", "hlt,ept-violation"},
       "--reason hlt,ept-violation has \"ept-violation\", which is not an exit reason; did you mean "
       "EPT_VIOLATION?",
       run_hint},
      {{"run", "--reason", "z*"}, "--reason z* matches no exit reason", run_hint},
      {{"run", "--reason", ""},
       "--reason \"\" is not an exit reason: a name as the kernel has it (npf, EPT_VIOLATION), or a number",
       run_hint},
      {{"run", "-o", "a", "-o", "a"}, "--output a is given twice", run_hint},
      {{"run", "--exit-histograms", "0"},
       "--exit-histograms 0 is not a whole number from 1 to 65535",
       run_hint},
      {{"run", "--exit-histograms", "70000"},
       "--exit-histograms 70000 is not a whole number from 1 to 65535",
       run_hint},
      {{"run", "--data-ring", "5M"}, "--data-ring 5M does not fit: a power of two from 4K to 1G", run_hint},
      {{"run", "--data-ring", "2K"}, "--data-ring 2K does not fit: a power of two from 4K to 1G", run_hint},
      {{"run", "--data-ring", "2G"}, "--data-ring 2G does not fit: a power of two from 4K to 1G", run_hint},
      {{"run", "--data-ring", "lots"},
       "--data-ring lots is not a size: a whole number of bytes, or one with K, M or G, such as 4M",
       run_hint}};
  for (const Wrong& bad : all) {
    expect_usage_error(bad);
  }
}

class WithFile : public testing::Test {
 protected:
  // Tests run beside each other, each in a process of its own.
  WithFile() : path_(testing::TempDir() + "isoscope_config_" + std::to_string(::getpid()) + ".yaml") {}
  ~WithFile() override { std::remove(path_.c_str()); }

  const char* write(const std::string& text) {
    std::ofstream(path_) << text;
    return path_.c_str();
  }

 private:
  std::string path_;
};

TEST_F(WithFile, IsRead) {
  const Config config = good({"run", "-c", write("interval: 1s\nvm: [web, db]\n")});
  EXPECT_EQ(config.interval, seconds(1));
  EXPECT_THAT(config.filters.vm, ElementsAre("web", "db"));
}

TEST_F(WithFile, TheCommandLineWins) {
  const char* path = write(
      "interval: 1s\ntop: 3\nvm: [web, db]\nevents: all\nverbose: 2\noutputs: [a, {path: b, format: table}]\n"
      "format: ndjson\nlabel: app\n");
  const Config file = good({"run", "-c", path});
  EXPECT_EQ(outputs_of(file), "a:ndjson b:table ");
  EXPECT_EQ(file.verbosity, 2);
  EXPECT_THAT(file.labels, ElementsAre("app"));

  const Config both = good({"run", "--vm", "mail", "-c", path, "-i", "2s", "--events", "exits", "-v", "-o",
                            "c", "--label", "tier"});
  EXPECT_THAT(both.labels, ElementsAre("tier"));
  EXPECT_EQ(both.interval, seconds(2));
  EXPECT_EQ(both.top, 3U) << "the command line does not mention it";
  EXPECT_THAT(both.filters.vm, ElementsAre("mail"));
  EXPECT_TRUE(both.streams.exits);
  EXPECT_FALSE(both.streams.switches);
  EXPECT_EQ(both.verbosity, 1);
  EXPECT_EQ(outputs_of(both), "c:ndjson ") << "the file's format is for every output without its own";
  EXPECT_EQ(outputs_of(good({"run", "-c", path, "-f", "table"})), "a:ndjson b:table ");
  EXPECT_EQ(outputs_of(good({"run", "-c", path, "-f", "table", "-o", "c"})), "c:table ");
}

TEST_F(WithFile, AFormatAloneIsForTheLastOutput) {
  const char* path = write("outputs: [a, b]\n");
  EXPECT_EQ(outputs_of(good({"run", "-c", path, "-f", "ndjson"})), "a? b:ndjson ");
  EXPECT_EQ(outputs_of(good({"run", "-c", write("format: ndjson\n")})), "-:ndjson ");
}

TEST_F(WithFile, ItsErrorsAreConfigErrors) {
  const char* path = write("interval: fast\n");
  const auto parsed = parse({"run", "-c", path, "-i", "1s"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::config);
  EXPECT_THAT(parsed.error().message,
              HasSubstr(std::string(path) + ":1:11: interval: \"fast\" is not a duration"));
}

TEST_F(WithFile, ReasonsAreKnownThereToo) {
  EXPECT_THAT(good({"run", "-c", write("reason: [npf, 48]\nvcpu: 0-3\n")}).filters.reason,
              ElementsAre("npf", "48"));
  const auto parsed = parse({"run", "-c", write("reason: [hlt, nfp]\n")});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::config);
  EXPECT_THAT(parsed.error().message,
              HasSubstr(":1:15: reason: \"nfp\" is not an exit reason; did you mean npf?"));
}

TEST_F(WithFile, TheCommandLineIsJudgedFirst) {
  const auto parsed = parse({"run", "-c", write("interval: fast\n"), "-i", "slow"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
}

TEST(CommandLine, AFileThatCannotBeReadIsAConfigError) {
  const auto missing = parse({"run", "-c", "/nonexistent/isoscope.yaml"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::config);
  EXPECT_EQ(missing.error().message, "cannot read /nonexistent/isoscope.yaml: No such file or directory");

  const auto folder = parse({"run", "-c", "/"});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::config);
  EXPECT_EQ(folder.error().message, "cannot read /: Is a directory");

  const auto endless = parse({"run", "-c", "/dev/zero"});
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().kind, ErrorKind::config);
  EXPECT_THAT(endless.error().message, HasSubstr("larger than"));
}

}  // namespace
}  // namespace isoscope::config
