#include "service/command.hpp"

#include "support/descriptor.hpp"
#include "support/try.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

extern char** environ;

namespace ima::service {
namespace {

using clock = std::chrono::steady_clock;

error cannot_start(int code, const std::string& what) {
  return {fault::temporary, "command-start", what, std::generic_category().message(code)};
}

result<std::array<descriptor, 2>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_start(errno, "pipe");
  return std::array{descriptor(ends[0]), descriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& w : words) out.push_back(w.data());
  out.push_back(nullptr);
  return out;
}

// Ours in place of what stood under the same names: of two, some programs read the first.
std::vector<std::string> whole_environment(const command& what) {
  std::vector<std::string> out;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view both = *at;
    const std::string_view name = both.substr(0, both.find('='));
    const auto is_it = [name](const auto& ours) { return ours.first == name; };
    if (std::ranges::none_of(what.environment, is_it)) out.emplace_back(both);
  }
  for (const auto& [name, value] : what.environment) out.push_back(name + "=" + value);
  return out;
}

result<pid_t> start(const command& what, int in, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A process group of its own, so that what it starts can be ended with it; signals as at login.
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int s : {SIGPIPE, SIGTERM, SIGINT, SIGHUP}) sigaddset(&defaults, s);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  auto arguments = what.arguments;
  auto environment = whole_environment(what);
  pid_t child = -1;
  const int failed = posix_spawnp(&child, arguments[0].c_str(), &actions, &attributes,
                                  pointers(arguments).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return cannot_start(failed, arguments[0]);
  return child;
}

// Cuts a command's output into lines.
class line_cutter {
 public:
  explicit line_cutter(const command_line& take) : take_(take) {}

  void add(std::string_view text) {
    for (const char c : text) {
      if (c == '\n')
        flush();
      else if (line_.size() < longest)
        line_ += c;
    }
  }
  void finish() {
    if (!line_.empty()) flush();
  }

 private:
  static constexpr std::size_t longest = 1024;
  void flush() {
    take_(line_);
    line_.clear();
  }
  const command_line& take_;
  std::string line_;
};

// How a process ended, from what waitpid() says.
command_end end_of(int status, bool timed_out) {
  command_end end;
  end.timed_out = timed_out;
  if (WIFEXITED(status) && !timed_out) end.status = WEXITSTATUS(status);
  return end;
}

// A command that closes its input early must not end us by SIGPIPE.
void ignore_broken_pipes() {
  static const bool once = [] { return ::signal(SIGPIPE, SIG_IGN) != SIG_ERR; }();
  static_cast<void>(once);
}

}  // namespace

struct running_command::state {
  command_line take;
  line_cutter lines{take};
  std::string name;
  pid_t child = -1;
  descriptor to{};
  descriptor from{};
  descriptor life{};  // a pidfd: readable once the process has ended
  std::chrono::nanoseconds left{};

  state(command_line output, std::string program)
      : take(std::move(output)), name(std::move(program)) {}
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {
    if (child < 0) return;
    take = [](std::string_view) {};  // nobody listens any more
    finish();
  }

  bool attend(bool writing);
  void write_some(octets& more);
  void read_some();
  bool has_ended() const;
  command_end finish();
};

// Waits until something can be done and takes what the command says; false when the time is over.
// Time counts while we wait for the command or listen to it, not while it waits for us.
bool running_command::state::attend(bool writing) {
  if (left.count() <= 0) return false;
  const auto before = clock::now();
  const auto most = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  std::array<pollfd, 3> on{
      {{from.get(), POLLIN, 0}, {life.get(), POLLIN, 0}, {writing ? to.get() : -1, POLLOUT, 0}}};
  ::poll(on.data(), on.size(), static_cast<int>(std::min<long>(most, 60'000)));
  read_some();
  if (on[1].revents != 0) to.reset();  // what it left running may hold the other end
  left -= clock::now() - before;
  return true;
}

void running_command::state::write_some(octets& more) {
  const ssize_t count = ::write(to.get(), more.data(), more.size());
  if (count >= 0) return more.remove_prefix(static_cast<std::size_t>(count));
  if (errno != EAGAIN && errno != EINTR) to.reset();  // it reads no more, which is its right
}

// At most what a pipe holds: a command that talks without end must not keep us from looking at the
// time, nor what it left running from ending.
void running_command::state::read_some() {
  std::array<char, 16 * 1024> text;
  constexpr std::size_t pipe = 64 * 1024;
  for (std::size_t taken = 0; from.get() >= 0 && taken < pipe;) {
    const ssize_t count = ::read(from.get(), text.data(), text.size());
    if (count > 0) {
      lines.add({text.data(), static_cast<std::size_t>(count)});
      taken += static_cast<std::size_t>(count);
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
      from.reset();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

bool running_command::state::has_ended() const {
  pollfd on{life.get(), POLLIN, 0};
  return ::poll(&on, 1, 0) == 1;
}

// The end of the process is the end: what it left running may hold the pipe as long as it likes.
command_end running_command::state::finish() {
  constexpr std::chrono::seconds grace{5};
  to.reset();
  bool asked = false;
  while (!has_ended()) {
    if (attend(false)) continue;
    ::kill(-child, asked ? SIGKILL : SIGTERM);
    asked = true;
    left = grace;
  }
  read_some();
  lines.finish();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  child = -1;
  return end_of(status, asked);
}

running_command::running_command(std::unique_ptr<state> s) : state_(std::move(s)) {}
running_command::running_command(running_command&&) noexcept = default;
running_command& running_command::operator=(running_command&&) noexcept = default;
running_command::~running_command() = default;

result<running_command> running_command::start(const command& what, command_line output) {
  ignore_broken_pipes();
  IMA_TRY(in, make_pipe());
  IMA_TRY(out, make_pipe());
  auto s = std::make_unique<state>(std::move(output), what.arguments[0]);
  IMA_TRY(child, service::start(what, in[0].get(), out[1].get()));
  s->child = child;
  s->left = what.time;
  s->life = descriptor(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (s->life.get() < 0) {
    const error failed = cannot_start(errno, "pidfd");
    ::kill(-child, SIGKILL);
    ::waitpid(std::exchange(s->child, -1), nullptr, 0);
    return failed;
  }
  s->to = std::move(in[1]);
  s->from = std::move(out[0]);
  ::fcntl(s->to.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(s->from.get(), F_SETFL, O_NONBLOCK);
  return running_command(std::move(s));
}

result<void> running_command::write(octets more) {
  state& s = *state_;
  while (!more.empty() && s.to.get() >= 0) {
    if (!s.attend(true)) return error{fault::temporary, "command-time", s.name, "it took too long"};
    if (s.to.get() >= 0) s.write_some(more);
  }
  return {};
}

command_end running_command::finish() { return state_->finish(); }

result<command_end> run(const command& what, const command_input& input,
                        const command_line& output) {
  IMA_TRY(running, running_command::start(what, output));
  std::vector<char> buffer(64 * 1024);
  while (true) {
    IMA_TRY(count, input(buffer.data(), buffer.size()));
    if (count == 0) break;
    if (!running.write(octets(buffer.data(), count))) break;  // finish() ends it
  }
  return running.finish();
}

}  // namespace ima::service
