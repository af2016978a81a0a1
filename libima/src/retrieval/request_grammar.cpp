#include "retrieval/request_grammar.hpp"

#include "retrieval/option_grammar.hpp"
#include "retrieval/wire_words.hpp"
#include "support/try.hpp"
#include "wire/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ima::retrieval {

namespace {

using wire::parse_number;
using wire::take_word;

constexpr std::string_view if_seq = "if-seq=";

// A word's own rule becomes `syntax` on the wire, its sentence the text.
error syntax(const error& why) { return refusal(reason::syntax, why.text); }
error syntax(std::string_view why) { return refusal(reason::syntax, std::string(why)); }

result<std::string> read_folder(std::string_view& rest) {
  auto name = folder_from_wire(take_word(rest));
  if (!name) return syntax(name.error());
  return name;
}

result<std::string> read_id(std::string_view& rest) {
  const std::string_view word = take_word(rest);
  if (auto good = check_id(word); !good) return syntax(good.error());
  return std::string(word);
}

bool begins_change(std::string_view rest) {
  return rest.front() == '+' || rest.front() == '-' || rest.starts_with(if_seq);
}

result<std::vector<std::string>> read_ids(std::string_view& rest) {
  std::vector<std::string> ids;
  while (!rest.empty() && !begins_change(rest)) {
    IMA_TRY(id, read_id(rest));
    ids.push_back(std::move(id));
  }
  if (ids.empty()) return syntax("no message is named");
  return ids;
}

result<std::uint64_t> read_number(std::string_view& rest, std::string_view name) {
  const auto value = parse_number(take_word(rest));
  if (!value) return syntax(fmt::format("the {} is not a number", name));
  return *value;
}

result<void> at_end(std::string_view rest) {
  if (!rest.empty()) return syntax("something follows the last argument");
  return {};
}

error framing(std::string_view why) { return refusal(reason::framing, std::string(why)); }

// How many octets follow the line. Over the limit nobody can be sure that they are meant.
result<std::uint64_t> read_count(std::string_view& rest, std::uint64_t most) {
  const auto count = parse_number(take_word(rest));
  if (!count || *count > most) return framing("malformed count, or over the limit");
  return *count;
}

result<parsed_request> read_auth(std::string_view rest, const limits& bounds) {
  const std::string_view user = take_word(rest);
  if (!check_user(user)) return framing("malformed user name");
  const std::string_view method = take_word(rest);
  parsed_request read{command::auth, request::authenticate{std::string(user), {}}};
  if (method == "PASSWORD") {
    IMA_TRY(size, read_count(rest, bounds.password));
    read.counted = size;
  } else if (method != "CERTIFICATE") {
    return framing("unknown method");
  }
  if (!rest.empty()) return framing("something follows the last argument");
  return read;
}

result<parsed_request> read_password(std::string_view rest, const limits& bounds) {
  IMA_TRY(old_size, read_count(rest, bounds.password));
  IMA_TRY(new_size, read_count(rest, bounds.password));
  if (!rest.empty()) return framing("something follows the last argument");
  return parsed_request{command::password, request::password{}, old_size + new_size,
                        static_cast<std::size_t>(old_size)};
}

result<parsed_request> read_data(std::string_view rest, const limits& bounds) {
  IMA_TRY(size, read_count(rest, bounds.body));
  if (!rest.empty()) return framing("something follows the last argument");
  return parsed_request{command::data, {}, size};
}

result<parsed_request> read_append(std::string_view rest, const limits& bounds) {
  auto folder = folder_from_wire(take_word(rest));
  auto flags = flags_from_wire(take_word(rest));
  const std::string_view when = take_word(rest);
  const auto arrived = time_from_wire(when);
  if (!folder || !flags || (!arrived && when != "-")) return framing("malformed arguments");
  IMA_TRY(size, read_count(rest, bounds.header_block));
  if (!rest.empty()) return framing("something follows the last argument");
  append_target what{*std::move(folder), *std::move(flags), arrived};
  return parsed_request{command::append, request::append{std::move(what), {}}, size};
}

result<parsed_request> read_send(std::string_view rest, const limits& bounds) {
  IMA_TRY(size, read_count(rest, bounds.header_block));
  auto options = read_send_options(rest);
  if (!options) return framing(options.error().text);
  return parsed_request{command::send, request::send{*std::move(options), {}}, size};
}

// Where octets follow the line, what is wrong with it is a framing error: nobody can know how many.
result<parsed_request> read_counted(command c, std::string_view rest, const limits& bounds) {
  switch (c) {
    case command::auth:
      return read_auth(rest, bounds);
    case command::password:
      return read_password(rest, bounds);
    case command::append:
      return read_append(rest, bounds);
    case command::send:
      return read_send(rest, bounds);
    default:
      return read_data(rest, bounds);
  }
}

bool has_counted_octets(command c) {
  return c == command::auth || c == command::password || c == command::append ||
         c == command::send || c == command::data;
}

result<any_request> read_status(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  return any_request(request::status{std::move(folder)});
}

result<any_request> read_changes(std::string_view& rest, const limits& bounds) {
  IMA_TRY(folder, read_folder(rest));
  const std::string_view token = take_word(rest);
  if (auto good = check_token(token); !good) return syntax(good.error());
  IMA_TRY(page, read_number(rest, "page size"));
  if (page == 0) return syntax("the page size is 0");
  return any_request(
      request::changes{std::move(folder), std::string(token), std::min(page, bounds.page)});
}

result<any_request> read_headers(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  IMA_TRY(ids, read_ids(rest));
  return any_request(request::headers{std::move(folder), std::move(ids)});
}

result<any_request> read_fetch(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  IMA_TRY(id, read_id(rest));
  IMA_TRY(part, read_number(rest, "part"));
  if (part == 0) return syntax("parts count from 1");
  request::fetch fetch{std::move(folder), std::move(id), part, 0, {}};
  if (!rest.empty()) {
    IMA_TRY(offset, read_number(rest, "offset"));
    IMA_TRY(length, read_number(rest, "length"));
    fetch.offset = offset;
    fetch.length = length;
  }
  return any_request(std::move(fetch));
}

result<void> add_flag(flag_change& what, std::string_view word) {
  const std::string_view flag = word.substr(1);
  if (auto good = check_flag(flag); !good) return syntax(good.error());
  if (what.add.size() + what.remove.size() == most_flags) return syntax("too many flags");
  const auto named = [flag](const std::vector<std::string>& list) {
    return std::ranges::find(list, flag) != list.end();
  };
  if (named(what.add) || named(what.remove)) return syntax("a flag is named twice");
  (word.front() == '+' ? what.add : what.remove).emplace_back(flag);
  return {};
}

result<flag_change> read_flag_change(std::string_view& rest) {
  flag_change what;
  while (!rest.empty() && !rest.starts_with(if_seq)) {
    const std::string_view word = take_word(rest);
    if (word.empty() || (word.front() != '+' && word.front() != '-'))
      return syntax("a flag begins with '+' or '-'");
    IMA_CHECK(add_flag(what, word));
  }
  if (what.add.empty() && what.remove.empty()) return syntax("no flag is named");
  if (!rest.empty()) {
    rest.remove_prefix(if_seq.size());
    IMA_TRY(seq, read_number(rest, "seq"));
    what.only_if_seq = seq;
  }
  return what;
}

result<any_request> read_flag(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  IMA_TRY(ids, read_ids(rest));
  IMA_TRY(what, read_flag_change(rest));
  return any_request(request::flag{std::move(folder), std::move(ids), std::move(what)});
}

result<any_request> read_remove(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  IMA_TRY(ids, read_ids(rest));
  return any_request(request::remove{std::move(folder), std::move(ids)});
}

template <class Request>
result<any_request> read_transfer(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  IMA_TRY(target, read_folder(rest));
  IMA_TRY(ids, read_ids(rest));
  return any_request(Request{std::move(folder), std::move(target), std::move(ids)});
}

result<any_request> read_create_folder(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  request::create_folder create{std::move(folder), {}};
  if (!rest.empty()) {
    create.role = take_word(rest);
    if (!is_role(create.role)) return syntax("not a role");
  }
  return any_request(std::move(create));
}

result<any_request> read_rename_folder(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  IMA_TRY(target, read_folder(rest));
  return any_request(request::rename_folder{std::move(folder), std::move(target)});
}

result<any_request> read_delete_folder(std::string_view& rest) {
  IMA_TRY(folder, read_folder(rest));
  return any_request(request::delete_folder{std::move(folder)});
}

result<any_request> read_search(std::string_view& rest, const limits& bounds) {
  IMA_TRY(folder, read_folder(rest));
  std::string_view cursor = take_word(rest);
  if (cursor == "-") {
    cursor = {};
  } else if (auto good = check_token(cursor); !good) {
    return syntax(good.error());
  }
  IMA_TRY(page, read_number(rest, "page size"));
  if (page == 0) return syntax("the page size is 0");
  IMA_TRY(query, read_criteria(rest));
  return any_request(request::search{std::move(folder), std::string(cursor),
                                     std::min(page, bounds.page), std::move(query)});
}

bool names(std::span<const watched_folder> folders, std::string_view folder) {
  return std::ranges::find(folders, folder, &watched_folder::folder) != folders.end();
}

result<any_request> read_watch(std::string_view& rest, const limits& bounds) {
  request::watch watch;
  while (!rest.empty()) {
    IMA_TRY(folder, read_folder(rest));
    const std::string_view token = take_word(rest);
    if (auto good = check_token(token); !good) return syntax(good.error());
    if (watch.folders.size() == bounds.watched) return syntax("too many folders");
    if (names(watch.folders, folder)) return syntax("a folder is named twice");
    watch.folders.push_back({std::move(folder), std::string(token)});
  }
  return any_request(std::move(watch));
}

result<any_request> read_arguments(command c, std::string_view& rest, const limits& bounds) {
  switch (c) {
    case command::status:
      return read_status(rest);
    case command::changes:
      return read_changes(rest, bounds);
    case command::headers:
      return read_headers(rest);
    case command::fetch:
      return read_fetch(rest);
    case command::flag:
      return read_flag(rest);
    case command::remove:
      return read_remove(rest);
    case command::move:
      return read_transfer<request::move>(rest);
    case command::copy:
      return read_transfer<request::copy>(rest);
    case command::create_folder:
      return read_create_folder(rest);
    case command::rename_folder:
      return read_rename_folder(rest);
    case command::delete_folder:
      return read_delete_folder(rest);
    case command::search:
      return read_search(rest, bounds);
    case command::quota:
      return any_request(request::quota{});
    case command::watch:
      return read_watch(rest, bounds);
    case command::queue:
      return any_request(request::queue{});
    default:
      return any_request(request::folders{});  // FOLDERS, CANCEL, DONE: no arguments
  }
}

error own_fault(error e) {
  e.kind = fault::caller;
  return e;
}

}  // namespace

result<parsed_request> parse_request(std::string_view line, const limits& bounds) {
  const auto known = command_from(line.substr(0, line.find(' ')));
  if (!known) return refusal(reason::command, "not a command of this server");
  std::string_view rest = line;
  if (take_word(rest).empty()) {
    constexpr std::string_view why = "words stand apart by exactly one space";
    return has_counted_octets(*known) ? framing(why) : syntax(why);
  }
  if (has_counted_octets(*known)) return read_counted(*known, rest, bounds);
  IMA_TRY(request, read_arguments(*known, rest, bounds));
  IMA_CHECK(at_end(rest));
  return parsed_request{*known, std::move(request)};
}

result<std::string> write_ids_request(command c, std::string_view folder,
                                      std::optional<std::string_view> target,
                                      std::span<const std::string> ids) {
  std::string line(rules_of(c).word);
  if (auto good = check_folder(folder); !good) return own_fault(std::move(good).error());
  line += ' ' + folder_to_wire(folder);
  if (target) {
    if (auto good = check_folder(*target); !good) return own_fault(std::move(good).error());
    line += ' ' + folder_to_wire(*target);
  }
  if (ids.empty()) return error{fault::caller, "id", "", "no message is named"};
  for (const std::string& id : ids) {
    if (auto good = check_id(id); !good) return own_fault(std::move(good).error());
    line += ' ';
    line += id;
  }
  return line;
}

result<std::string> write_append(const append_target& what, std::size_t block) {
  if (auto good = check_folder(what.folder); !good) return own_fault(std::move(good).error());
  const std::string flags = flags_to_wire(what.flags);
  if (!flags_from_wire(flags)) return error{fault::caller, "flag", "", "malformed or too many"};
  const std::string arrived = time_to_wire(what.arrived);
  if (what.arrived && !time_from_wire(arrived))
    return error{fault::caller, "date-syntax", "",
                 "the arrival is not in the years 1 to 9999, UTC"};
  return fmt::format("APPEND {} {} {} {}", folder_to_wire(what.folder), flags, arrived, block);
}

result<std::string> write_send(const send_options& options, std::size_t block) {
  IMA_TRY(words, write_send_options(options));
  return fmt::format("SEND {}{}", block, words);
}

result<std::string> write_search(std::string_view folder, std::string_view cursor,
                                 std::uint64_t page, const search_query& query) {
  if (auto good = check_folder(folder); !good) return own_fault(std::move(good).error());
  if (!cursor.empty())
    if (auto good = check_token(cursor); !good) return own_fault(std::move(good).error());
  if (page == 0) return error{fault::caller, "page", "", "the page size is 0"};
  IMA_TRY(criteria, write_criteria(query));
  return fmt::format("SEARCH {} {} {}{}", folder_to_wire(folder), or_dash(cursor), page, criteria);
}

result<std::string> write_watch(std::span<const watched_folder> folders) {
  std::string line = "WATCH";
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const watched_folder& f = folders[i];
    if (auto good = check_folder(f.folder); !good) return own_fault(std::move(good).error());
    if (auto good = check_token(f.token); !good) return own_fault(std::move(good).error());
    if (names(folders.first(i), f.folder))
      return error{fault::caller, "folder", f.folder, "a folder is named twice"};
    line += fmt::format(" {} {}", folder_to_wire(f.folder), f.token);
  }
  return line;
}

result<void> append_flag_change(std::string& line, const flag_change& what) {
  flag_change checked;
  const auto append = [&](char sign, const std::vector<std::string>& flags) -> result<void> {
    for (const std::string& flag : flags) {
      const std::string word = sign + flag;
      if (auto good = add_flag(checked, word); !good)
        return error{fault::caller, "flag", "", good.error().text};
      line += ' ' + word;
    }
    return {};
  };
  IMA_CHECK(append('+', what.add));
  IMA_CHECK(append('-', what.remove));
  if (checked.add.empty() && checked.remove.empty())
    return error{fault::caller, "flag", "", "no flag is named"};
  if (what.only_if_seq) line += fmt::format(" {}{}", if_seq, *what.only_if_seq);
  return {};
}

}  // namespace ima::retrieval
