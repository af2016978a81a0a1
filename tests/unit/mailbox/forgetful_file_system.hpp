#pragma once

#include <ima/mailbox/file_system.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

// A file system in memory that forgets at a crash what was not synced. A rename whose target
// directory was synced counts for both directories (docs/mailbox.md section 2).

namespace mailbox_test {

namespace mb = ima::mailbox;

struct node {
  bool directory = false;
  std::string content;
  std::string synced;
  std::chrono::sys_seconds changed{};
  using names = std::map<std::string, std::shared_ptr<node>, std::less<>>;
  names entries;
  names durable;
  // Names that came by rename, and where they were durable.
  std::map<std::string, std::pair<std::weak_ptr<node>, std::string>> came_from;
  std::set<std::string> kept;  // names that a lost rename leaves where they were
};

/// What a crash leaves of that which was not synced.
enum class survival : std::uint8_t {
  nothing,   ///< Neither octets nor names.
  names,     ///< Names, of files whose octets are lost.
  anything,  ///< Each name and each file's octets, or a part of them, by chance.
};

class forgetful_file_system : public mb::file_system {
 public:
  forgetful_file_system() { root_->directory = true; }
  /// A copy of everything in it.
  forgetful_file_system(const forgetful_file_system& other) : clock(other.clock) {
    std::map<const node*, std::shared_ptr<node>> made;
    root_ = clone(other.root_, made);
  }
  forgetful_file_system& operator=(const forgetful_file_system&) = delete;

  std::chrono::sys_seconds clock{std::chrono::seconds(1'795'512'600)};

  void crash(survival what = survival::nothing, unsigned seed = 0) {
    random_.seed(seed);
    std::set<node*> seen;
    settle_renames(root_, what, seen);
    seen.clear();
    settle(root_, what, seen);
  }

  ima::result<std::unique_ptr<mb::file>> open(const std::string& path) override {
    const auto found = find(path);
    if (!found) return failure("file-missing");
    if (found->directory) return failure("file-unreadable");
    return handle(found);
  }
  ima::result<std::unique_ptr<mb::file>> open_append(const std::string& path) override {
    return find(path) ? open(path) : create(path);
  }
  ima::result<std::unique_ptr<mb::file>> create(const std::string& path) override {
    auto made = std::make_shared<node>();
    if (auto placed = place(path, made); !placed) return placed.error();
    return handle(made);
  }
  ima::result<void> make_directory(const std::string& path) override {
    auto made = std::make_shared<node>();
    made->directory = true;
    return place(path, made);
  }
  ima::result<void> link(const std::string& from, const std::string& to) override {
    const auto found = find(from);
    return found ? place(to, found) : failure("file-missing");
  }
  ima::result<void> rename(const std::string& from, const std::string& to) override {
    const auto moved = find(from);
    const auto there = find(to);
    const auto target = find(parent(to));
    if (!moved || !target) return failure("file-missing");
    if (there && there->directory && !there->entries.empty()) return failure("file-exists");
    const auto source = find(parent(from));
    // Where it is durable: it may have come here by a rename that was not synced.
    auto origin = std::pair{std::weak_ptr<node>(source), name(from)};
    if (const auto before = source->came_from.find(name(from)); before != source->came_from.end()) {
      origin = before->second;
      source->came_from.erase(before);
    }
    source->entries.erase(name(from));
    target->entries[name(to)] = moved;
    target->came_from[name(to)] = origin;
    source->changed = target->changed = clock;
    return {};
  }
  ima::result<void> unlink(const std::string& path) override {
    const auto found = find(path);
    if (!found || found->directory) return failure("file-missing");
    return forget(path);
  }
  ima::result<void> remove_directory(const std::string& path) override {
    const auto found = find(path);
    if (!found) return failure("file-missing");
    if (!found->entries.empty()) return failure("file-exists");
    return forget(path);
  }
  ima::result<std::optional<mb::file_status>> status(const std::string& path) override {
    const auto found = find(path);
    if (!found) return std::optional<mb::file_status>();
    return std::optional(mb::file_status{found->directory, found->content.size(), found->changed,
                                         identity_of(found)});
  }
  ima::result<void> list(
      const std::string& path,
      const std::function<ima::result<void>(const std::string&)>& each) override {
    const auto found = find(path);
    if (!found) return failure("file-missing");
    const node::names all = found->entries;
    for (const auto& [entry, unused] : all)
      if (auto done = each(entry); !done) return done;
    return {};
  }
  ima::result<void> sync_directory(const std::string& path) override {
    const auto found = find(path);
    if (!found) return failure("file-missing");
    for (const auto& [entry, origin] : found->came_from)
      if (const auto source = origin.first.lock(); source && found->entries.contains(entry))
        forget_durable(*source, origin.second, found->entries[entry]);
    found->came_from.clear();
    found->durable = found->entries;
    return {};
  }
  std::chrono::sys_seconds now() override { return clock; }

 private:
  class handle_file final : public mb::file {
   public:
    handle_file(forgetful_file_system& owner, std::shared_ptr<node> n)
        : owner_(owner), node_(std::move(n)) {}
    ima::result<void> append(ima::octets text) override {
      node_->content += text;
      node_->changed = owner_.clock;
      return {};
    }
    ima::result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const override {
      if (offset >= node_->content.size()) return std::size_t{0};
      return node_->content.copy(into.data(), into.size(), offset);
    }
    ima::result<std::uint64_t> size() const override { return node_->content.size(); }
    ima::result<std::uint64_t> identity() const override { return identity_of(node_); }
    ima::result<void> sync() override {
      node_->synced = node_->content;
      return {};
    }
    ima::result<void> truncate(std::uint64_t size) override {
      node_->content.resize(size);
      return {};
    }
    ima::result<void> lock() override { return {}; }
    ima::result<void> unlock() override { return {}; }

   private:
    forgetful_file_system& owner_;
    std::shared_ptr<node> node_;
  };

  static ima::error failure(std::string_view rule) {
    return {ima::fault::temporary, rule, "", "simulated"};
  }
  static std::uint64_t identity_of(const std::shared_ptr<node>& n) {
    return reinterpret_cast<std::uintptr_t>(n.get());
  }
  static std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }
  static std::string name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  std::unique_ptr<mb::file> handle(const std::shared_ptr<node>& n) {
    return std::make_unique<handle_file>(*this, n);
  }

  std::shared_ptr<node> find(std::string_view path) const {
    auto at = root_;
    if (path == "/") return at;
    while (!path.empty()) {
      path.remove_prefix(1);
      const std::string_view step = path.substr(0, path.find('/'));
      const auto found = at->entries.find(step);
      if (found == at->entries.end()) return nullptr;
      at = found->second;
      path.remove_prefix(step.size());
    }
    return at;
  }

  ima::result<void> place(const std::string& path, const std::shared_ptr<node>& what) {
    if (find(path)) return failure("file-exists");
    const auto directory = find(parent(path));
    if (!directory) return failure("file-missing");
    directory->entries[name(path)] = what;
    directory->came_from.erase(name(path));
    directory->changed = clock;
    if (what->changed == std::chrono::sys_seconds{}) what->changed = clock;
    return {};
  }

  ima::result<void> forget(const std::string& path) {
    const auto directory = find(parent(path));
    directory->entries.erase(name(path));
    directory->changed = clock;
    return {};
  }

  static void forget_durable(node& directory, const std::string& entry,
                             const std::shared_ptr<node>& what) {
    const auto there = directory.durable.find(entry);
    if (there != directory.durable.end() && there->second == what) directory.durable.erase(there);
  }

  bool chance() { return random_() % 2 == 0; }

  // A rename is atomic: after a crash the name is in one place alone.
  void settle_renames(const std::shared_ptr<node>& at, survival what, std::set<node*>& seen) {
    if (!seen.insert(at.get()).second) return;
    for (const auto& [entry, origin] : at->came_from) {
      const auto moved = at->entries.find(entry);
      const auto source = origin.first.lock();
      const bool keep = what == survival::names || (what == survival::anything && chance());
      if (moved == at->entries.end() || !source) continue;
      if (!keep) source->kept.insert(origin.second);
      if (!keep) continue;
      at->durable[entry] = moved->second;
      forget_durable(*source, origin.second, moved->second);
    }
    for (const auto& [entry, below] : node::names(at->entries)) settle_renames(below, what, seen);
  }

  void settle(const std::shared_ptr<node>& at, survival what, std::set<node*>& seen) {
    if (!seen.insert(at.get()).second) return;
    settle_content(*at, what);
    if (what != survival::nothing) settle_names(*at, what);
    at->entries = at->durable;
    at->came_from.clear();
    at->kept.clear();
    for (const auto& [entry, below] : at->entries) settle(below, what, seen);
  }

  void settle_names(node& at, survival what) {
    const node::names before = at.durable;
    for (const auto& [entry, below] : before)
      if (!at.entries.contains(entry) && !at.kept.contains(entry) &&
          (what == survival::names || chance()))
        at.durable.erase(entry);
    for (const auto& [entry, below] : at.entries)
      if (!at.came_from.contains(entry) && (what == survival::names || chance()))
        at.durable[entry] = below;
  }

  // All of what was written since the last sync, the front of it, or its end behind a hole.
  void settle_content(node& at, survival what) {
    const std::size_t kept = at.synced.size();
    const bool grown = at.content.size() > kept && at.content.starts_with(at.synced);
    if (what == survival::anything && grown) {
      const std::size_t more = 1 + random_() % (at.content.size() - kept);
      if (chance()) {
        at.synced = at.content.substr(0, kept + more);
      } else if (chance()) {
        at.synced = at.content;
        std::fill_n(at.synced.begin() + static_cast<std::ptrdiff_t>(kept), more, '\0');
      }
    }
    at.content = at.synced;
  }

  static std::shared_ptr<node> clone(const std::shared_ptr<node>& from,
                                     std::map<const node*, std::shared_ptr<node>>& made) {
    auto& copy = made[from.get()];
    if (copy) return copy;
    copy = std::make_shared<node>();
    const auto kept = copy;
    kept->directory = from->directory;
    kept->content = from->content;
    kept->synced = from->synced;
    kept->changed = from->changed;
    for (const auto& [entry, below] : from->entries) kept->entries[entry] = clone(below, made);
    for (const auto& [entry, below] : from->durable) kept->durable[entry] = clone(below, made);
    return kept;
  }

  std::shared_ptr<node> root_ = std::make_shared<node>();
  std::minstd_rand random_;
};

}  // namespace mailbox_test
