#include "support/try.hpp"

#include <ima/service/routing.hpp>

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <mutex>
#include <utility>

namespace ima::service {
namespace {

constexpr int busy_milliseconds = 5'000;
constexpr const char* question =
    "SELECT action, value FROM routes WHERE address = ?1 ORDER BY position";

error broken(fault kind, const std::string& path, std::string text) {
  return {kind, "route-database", path, std::move(text)};
}

class database : public route_source {
 public:
  explicit database(const std::string& path)
      : path_(path), folder_(std::filesystem::path(path).parent_path()) {}
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  ~database() override {
    sqlite3_finalize(select_);
    sqlite3_close(db_);
  }

  result<void> open() {
    if (sqlite3_open_v2(path_.c_str(), &db_, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK)
      return broken(fault::caller, path_, sqlite3_errmsg(db_));
    sqlite3_busy_timeout(db_, busy_milliseconds);
    if (sqlite3_prepare_v2(db_, question, -1, &select_, nullptr) != SQLITE_OK)
      return broken(fault::caller, path_, sqlite3_errmsg(db_));
    return {};
  }

  result<std::optional<route>> find(std::string_view key) const override {
    const std::lock_guard lock(mutex_);
    sqlite3_bind_text64(select_, 1, key.data(), key.size(), SQLITE_STATIC, SQLITE_UTF8);
    auto found = rows(key);
    sqlite3_reset(select_);
    return found;
  }

 private:
  std::string column(int index) const {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(select_, index));
    return text == nullptr ? "" : std::string(text);
  }

  result<std::optional<route>> rows(std::string_view key) const {
    std::optional<route> made;
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(select_)) == SQLITE_ROW) {
      if (!made) made.emplace();
      if (!take(*made, column(0), column(1)))
        return broken(fault::temporary, path_, fmt::format("the entry of {} is wrong", key));
    }
    if (step != SQLITE_DONE) return broken(fault::temporary, path_, sqlite3_errmsg(db_));
    return made;
  }

  // One row of an entry; false where the rows do not make one.
  bool take(route& made, const std::string& action, std::string value) const {
    if (value.empty() || !made.mailbox.empty()) return false;
    if (action == "mailbox" && made.command.empty() && made.alias.empty()) {
      made.mailbox = (folder_ / value).string();
      return true;
    }
    if (action == "command" && made.alias.empty()) {
      made.command.push_back(std::move(value));
      return true;
    }
    auto member = address::parse(value);
    if (action != "alias" || !made.command.empty() || !member) return false;
    made.alias.push_back(*std::move(member));
    return true;
  }

  std::string path_;
  std::filesystem::path folder_;
  mutable std::mutex mutex_;  // guards the statement
  sqlite3* db_ = nullptr;
  sqlite3_stmt* select_ = nullptr;
};

}  // namespace

result<std::shared_ptr<const route_source>> open_route_database(const std::string& path) {
  auto made = std::make_shared<database>(path);
  IMA_CHECK(made->open());
  return std::shared_ptr<const route_source>(std::move(made));
}

}  // namespace ima::service
