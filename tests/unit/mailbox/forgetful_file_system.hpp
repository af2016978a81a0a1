#pragma once

#include <ima/mailbox/file_system.hpp>

#include <map>
#include <memory>
#include <string>

// A file system in memory that loses power after a given number of changes: from then on every call
// fails, and crash() brings back what had been synced and nothing else. A rename whose target
// directory was synced counts for both directories (docs/mailbox.md section 2).

namespace mailbox_test {

namespace mb = ima::mailbox;

struct node {
  bool directory = false;
  std::string content;
  std::string synced;
  using names = std::map<std::string, std::shared_ptr<node>>;
  names entries;
  names durable;
  // Names that came by rename, and where they were durable.
  std::map<std::string, std::pair<std::weak_ptr<node>, std::string>> came_from;
};

class forgetful_file_system final : public mb::file_system {
 public:
  forgetful_file_system() { root_->directory = true; }

  std::uint64_t changes = 0;
  std::uint64_t stop_at = UINT64_MAX;

  void crash() {
    restore(*root_);
    changes = 0;
    stop_at = UINT64_MAX;
  }

  bool dead() const { return changes >= stop_at; }
  ima::result<void> change() {
    if (dead()) return failure("storage");
    ++changes;
    return {};
  }

  ima::result<std::unique_ptr<mb::file>> open(const std::string& path) override {
    const auto found = find(path);
    if (dead()) return failure("storage");
    if (!found) return failure("file-missing");
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
    if (!moved) return failure("file-missing");
    if (there && there->directory && !there->entries.empty()) return failure("file-exists");
    if (auto may = change(); !may) return may;
    const auto source = find(parent(from));
    const auto target = find(parent(to));
    source->entries.erase(name(from));
    target->entries[name(to)] = moved;
    target->came_from[name(to)] = {source, name(from)};
    return {};
  }
  ima::result<void> unlink(const std::string& path) override {
    const auto found = find(path);
    if (!found || found->directory) return failure("file-missing");
    if (auto may = change(); !may) return may;
    find(parent(path))->entries.erase(name(path));
    return {};
  }
  ima::result<void> remove_directory(const std::string& path) override {
    const auto found = find(path);
    if (!found || !found->entries.empty()) return failure("file-exists");
    if (auto may = change(); !may) return may;
    find(parent(path))->entries.erase(name(path));
    return {};
  }
  ima::result<std::optional<mb::file_status>> status(const std::string& path) override {
    if (dead()) return failure("storage");
    const auto found = find(path);
    if (!found) return std::optional<mb::file_status>();
    return std::optional(
        mb::file_status{found->directory, found->content.size(), now(), identity_of(found)});
  }
  ima::result<void> list(
      const std::string& path,
      const std::function<ima::result<void>(const std::string&)>& each) override {
    if (dead()) return failure("storage");
    const auto found = find(path);
    if (!found) return failure("file-missing");
    const node::names all = found->entries;
    for (const auto& [entry, unused] : all)
      if (auto done = each(entry); !done) return done;
    return {};
  }
  ima::result<void> sync_directory(const std::string& path) override {
    if (auto may = change(); !may) return may;
    const auto found = find(path);
    for (const auto& [entry, origin] : found->came_from)
      if (const auto source = origin.first.lock(); source && found->entries.contains(entry))
        source->durable.erase(origin.second);
    found->came_from.clear();
    found->durable = found->entries;
    return {};
  }
  std::chrono::sys_seconds now() override {
    return std::chrono::sys_seconds(std::chrono::seconds(1'795'512'600));
  }

 private:
  class handle_file final : public mb::file {
   public:
    handle_file(forgetful_file_system& owner, std::shared_ptr<node> n)
        : owner_(owner), node_(std::move(n)) {}
    // Every append may stop half way.
    ima::result<void> append(ima::octets text) override {
      if (auto may = owner_.change(); !may) return may;
      node_->content += text.substr(0, text.size() / 2);
      if (auto may = owner_.change(); !may) return may;
      node_->content += text.substr(text.size() / 2);
      return {};
    }
    ima::result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const override {
      if (offset >= node_->content.size()) return std::size_t{0};
      return node_->content.copy(into.data(), into.size(), offset);
    }
    ima::result<std::uint64_t> size() const override { return node_->content.size(); }
    ima::result<std::uint64_t> identity() const override { return identity_of(node_); }
    ima::result<void> sync() override {
      if (auto may = owner_.change(); !may) return may;
      node_->synced = node_->content;
      return {};
    }
    ima::result<void> truncate(std::uint64_t size) override {
      if (auto may = owner_.change(); !may) return may;
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
      const std::string step(path.substr(0, path.find('/')));
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
    if (auto may = change(); !may) return may;
    directory->entries[name(path)] = what;
    return {};
  }

  static void restore(node& at) {
    at.content = at.synced;
    at.entries = at.durable;
    at.came_from.clear();
    for (const auto& [entry, below] : at.entries) restore(*below);
  }

  std::shared_ptr<node> root_ = std::make_shared<node>();
};

}  // namespace mailbox_test
