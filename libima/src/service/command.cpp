#include "service/command.hpp"

#include "support/try.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>
#include <thread>

extern char** environ;

namespace ima::service {
namespace {

using clock = std::chrono::steady_clock;

// A file descriptor with its owner.
class descriptor {
 public:
  explicit descriptor(int fd = -1) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~descriptor() { reset(); }
  int get() const noexcept { return fd_; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

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

std::vector<std::string> whole_environment(const command& what) {
  std::vector<std::string> out;
  for (char** at = environ; *at != nullptr; ++at) out.emplace_back(*at);
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

// What flows through the two pipes of a running command.
struct exchange {
  descriptor to;
  descriptor from;
  const command_input& input;
  line_cutter lines;
  std::array<char, 64 * 1024> buffer{};
  std::string_view waiting{};
  std::optional<error> input_failed{};

  void write_some() {
    if (waiting.empty()) {
      auto count = input(buffer.data(), buffer.size());
      if (!count) input_failed = std::move(count).error();
      if (input_failed || *count == 0) return to.reset();
      waiting = std::string_view(buffer.data(), *count);
    }
    const ssize_t count = ::write(to.get(), waiting.data(), waiting.size());
    if (count >= 0) return waiting.remove_prefix(static_cast<std::size_t>(count));
    if (errno != EAGAIN && errno != EINTR) to.reset();  // it reads no more, which is its right
  }

  void read_some() {
    std::array<char, 4096> text;
    const ssize_t count = ::read(from.get(), text.data(), text.size());
    if (count > 0) return lines.add({text.data(), static_cast<std::size_t>(count)});
    if (count < 0 && errno == EINTR) return;
    from.reset();
    lines.finish();
  }

  // False when the time is over.
  bool run(clock::time_point deadline) {
    while (from.get() >= 0) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
      if (left.count() <= 0) return false;
      std::array<pollfd, 2> on{{{from.get(), POLLIN, 0}, {to.get(), POLLOUT, 0}}};
      if (::poll(on.data(), on.size(), static_cast<int>(std::min<long>(left.count(), 60'000))) < 0)
        continue;
      if (on[1].revents != 0) write_some();
      if (on[0].revents != 0) read_some();
    }
    return true;
  }
};

// Waits for the end; past the deadline asks the process group to end, then ends it.
command_end wait_for(pid_t child, clock::time_point deadline, bool in_time) {
  constexpr std::chrono::seconds grace{5};
  command_end end;
  int status = 0;
  bool asked = false;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (!in_time || clock::now() > deadline) {
      ::kill(-child, asked ? SIGKILL : SIGTERM);
      if (!asked) deadline = clock::now() + grace;
      in_time = !asked;
      asked = end.timed_out = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (WIFEXITED(status) && !end.timed_out) end.status = WEXITSTATUS(status);
  return end;
}

// A command that closes its input early must not end us by SIGPIPE.
void ignore_broken_pipes() {
  static const bool once = [] { return ::signal(SIGPIPE, SIG_IGN) != SIG_ERR; }();
  static_cast<void>(once);
}

}  // namespace

result<command_end> run(const command& what, const command_input& input,
                        const command_line& output) {
  ignore_broken_pipes();
  IMA_TRY(in, make_pipe());
  IMA_TRY(out, make_pipe());
  IMA_TRY(child, start(what, in[0].get(), out[1].get()));
  in[0].reset();
  out[1].reset();
  ::fcntl(in[1].get(), F_SETFL, O_NONBLOCK);
  const auto deadline = clock::now() + what.time;
  exchange pipes{std::move(in[1]), std::move(out[0]), input, line_cutter(output)};
  const bool in_time = pipes.run(deadline);
  pipes.to.reset();
  const command_end end = wait_for(child, deadline, in_time);
  if (pipes.input_failed) return *pipes.input_failed;
  return end;
}

}  // namespace ima::service
