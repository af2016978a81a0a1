// What a folder's size costs: listing a page, a status, a synchronisation of ten changes, a
// delivery with taking in, and opening, at growing sizes; each as a ratio to the smallest, measured
// in one run. Near 1 is what it should be. `disk` is the same for one durable file beside the
// mailbox: what changes and deliveries cannot beat, as they wait for the disk. Usage:
// benchmark-mailbox [--full] [DIRECTORY]

#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace mb = ima::mailbox;

// Asking for the value of a failure aborts, which is all that a benchmark need do.
std::string deliver(const std::string& path, std::size_t number) {
  const std::string text = fmt::format("text of {}\n", number);
  ima::header_builder builder;
  builder.field("from", "a@a.example").field("subject", fmt::format("number {}", number));
  builder.part({text.size(), ima::digest::of(text), "text/plain", "", "", "", ""});
  const auto header = builder.build().value();
  mb::target to;
  to.path = path;
  auto into = mb::delivery::begin(mb::posix_file_system(), header, {to}).value();
  ima::body_reader reader(header);
  ima::octets rest = text;
  while (auto slice = reader.next(rest).value()) into.write(*slice).value();
  return into.commit().front().value().id;
}

// The median of several runs, in microseconds.
double median(int runs, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<std::size_t>(runs / 2)];
}

// One file that is there whatever happens, made and removed.
void durable_file(const std::string& directory) {
  const int where = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY);
  const int made = ::openat(where, "probe", O_WRONLY | O_CREAT, 0600);
  const std::string text(1000, 'x');
  const bool good = ::write(made, text.data(), text.size()) == 1000 && ::fsync(made) == 0 &&
                    ::fsync(where) == 0 && ::unlinkat(where, "probe", 0) == 0;
  ::close(made);
  ::close(where);
  if (!good) std::abort();
}

// Waits until the disk has what was written to make the folder.
void settle(const std::string& path) {
  const int where = ::open(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (::syncfs(where) != 0) std::abort();
  ::close(where);
}

struct costs {
  double open, status, page, sync, delivery, disk;
  long peak_kib;
};

long peak() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss;
}

costs measure(const std::string& path, std::size_t& number) {
  auto& files = mb::posix_file_system();
  costs c{};
  settle(path);
  c.open = median(9, [&] { (void)mb::mailbox::open(files, path).value(); });
  auto box = mb::mailbox::open(files, path).value();
  c.status = median(99, [&] { (void)box.status("inbox").value(); });
  c.page = median(25, [&] { (void)box.changes("inbox", "0", 500).value(); });
  const auto entries = box.changes("inbox", "0", 10).value().entries;
  std::vector<std::string> ids;
  for (const auto& e : entries) ids.push_back(e.id);
  const std::vector<std::string> seen{"seen"};
  mb::flag_change change{seen, {}, {}};
  c.sync = median(25, [&] {
    const auto token = box.status("inbox").value().token;
    std::swap(change.add, change.remove);
    (void)box.set_flags("inbox", ids, change).value();
    (void)box.changes("inbox", token, 100).value();
  });
  c.delivery = median(25, [&] {
    (void)deliver(path, number++);
    (void)box.take_in().value();
  });
  c.disk = median(25, [&] { durable_file(path + "/.."); });
  c.peak_kib = peak();
  return c;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool full = std::ranges::find(words, "--full") != words.end();
  std::string place = (std::filesystem::temp_directory_path() / "ima-benchmark-XXXXXX").string();
  if (!words.empty() && words.back() != "--full") place = words.back() + "/ima-benchmark-XXXXXX";
  if (::mkdtemp(place.data()) == nullptr) return 1;
  const std::string path = place + "/box";
  mb::mailbox::create(mb::posix_file_system(), path).value();
  std::vector<std::size_t> sizes{1'000, 10'000, 100'000};
  if (full) sizes.push_back(1'000'000);
  std::size_t number = 0;
  std::optional<costs> first;
  fmt::print("{:>9} {:>7} {:>7} {:>7} {:>7} {:>9} {:>7} {:>9}\n", "messages", "open", "status",
             "page", "sync", "delivery", "disk", "peak KiB");
  for (const auto size : sizes) {
    {
      auto box = mb::mailbox::open(mb::posix_file_system(), path).value();
      while (number < size) {
        (void)deliver(path, number++);
        if (number % 1000 == 0) box.take_in().value();
      }
      box.take_in().value();
    }
    const costs now = measure(path, number);
    if (!first) first = now;
    fmt::print("{:>9} {:>7.2f} {:>7.2f} {:>7.2f} {:>7.2f} {:>9.2f} {:>7.2f} {:>9}\n", size,
               now.open / first->open, now.status / first->status, now.page / first->page,
               now.sync / first->sync, now.delivery / first->delivery, now.disk / first->disk,
               now.peak_kib);
    std::fflush(stdout);
  }
  std::filesystem::remove_all(place);
  return 0;
}
