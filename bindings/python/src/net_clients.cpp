#include "events.hpp"
#include "shared_client.hpp"
#include "times.hpp"
#include "words.hpp"

#include <pybind11/stl.h>

#include <array>

namespace ima::python {
namespace {

using namespace py::literals;
using ids = std::vector<std::string>;
using hosts = std::map<std::string, std::string>;

std::shared_ptr<shared_client> connect(std::string host, const tls::context& tls,
                                       const hosts& where, std::vector<std::string> dns_servers,
                                       std::string certificate_name, const limits& bounds,
                                       patience timeout) {
  net::retrieval_client_options options;
  options.host = std::move(host);
  options.hosts.insert(where.begin(), where.end());
  options.dns.servers = std::move(dns_servers);
  options.certificate_name = std::move(certificate_name);
  options.bounds = bounds;
  options.timeout = timeout;
  const signals interrupts;
  const auto left = std::make_shared<std::atomic<bool>>(false);
  options.interrupted = [left, asked = interrupts.question()] { return *left || asked(); };
  auto made = without_gil([&] { return net::retrieval_client::connect(options, tls); });
  interrupts.rethrow();
  return std::make_shared<shared_client>(take(std::move(made)), interrupts, left);
}

std::vector<header_event> headers(shared_client& client, std::string_view folder, const ids& which,
                                  patience timeout) {
  std::vector<std::array<std::string, 3>> taken;
  client.call(timeout, [&](auto& c) {
    return c.headers(folder, which, [&](std::string_view id, octets block, octets record) {
      taken.push_back({std::string(id), std::string(block), std::string(record)});
      return result<void>();
    });
  });
  std::vector<header_event> out;
  for (const auto& [id, block, record] : taken)
    out.push_back({id, to_bytes(block), to_bytes(record)});
  return out;
}

// What the function raised is kept and raised again when the call, and with it the connection, has
// ended.
std::uint64_t fetch(shared_client& client, std::string_view folder, std::string_view id,
                    std::uint64_t part, const py::object& into, std::uint64_t offset,
                    std::optional<std::uint64_t> length, patience timeout) {
  std::optional<py::error_already_set> thrown;
  const auto give = [&](octets piece) -> result<void> {
    const with_gil gil;
    try {
      into(to_bytes(piece));
      return {};
    } catch (py::error_already_set& e) {
      thrown.emplace(std::move(e));
      return error{fault::caller, "handler", "", "the function that takes the octets raised"};
    }
  };
  try {
    return client.call(timeout,
                       [&](auto& c) { return c.fetch(folder, id, part, give, offset, length); });
  } catch (py::error_already_set&) {
    if (thrown) throw py::error_already_set(*thrown);
    throw;
  }
}

void add_reading(client_class& c) {
  c.def(
       "authenticate",
       [](shared_client& s, std::string_view user, const std::optional<octets_in>& password,
          patience timeout) {
         s.call(timeout, [&](auto& inner) {
           return password ? inner.authenticate(user, password->view()) : inner.authenticate(user);
         });
       },
       "user"_a, "password"_a = std::nullopt, py::kw_only(), "timeout"_a = std::nullopt,
       "Without a password: by the client certificate.")
      .def(
          "folders",
          [](shared_client& s, patience timeout) {
            return s.call(timeout, [](auto& inner) { return inner.folders(); });
          },
          py::kw_only(), "timeout"_a = std::nullopt, "All folders, as FolderInfo.")
      .def(
          "status",
          [](shared_client& s, std::string_view folder, patience timeout) {
            return s.call(timeout, [&](auto& inner) { return inner.status(folder); });
          },
          "folder"_a, py::kw_only(), "timeout"_a = std::nullopt, "How much is in a folder.")
      .def(
          "changes",
          [](shared_client& s, std::string_view folder, std::string_view token, std::uint64_t limit,
             patience timeout) {
            return s.call(timeout, [&](auto& i) { return i.changes(folder, token, limit); });
          },
          "folder"_a, "token"_a = retrieval::first_token, "limit"_a = 500, py::kw_only(),
          "timeout"_a = std::nullopt,
          "What changed after ``token``; Refused with the rule resync: begin again from ``0``.")
      .def("headers", &headers, "folder"_a, "ids"_a, py::kw_only(), "timeout"_a = std::nullopt,
           "The header blocks of those that are there, in order.")
      .def("fetch", &fetch, "folder"_a, "id"_a, "part"_a, "into"_a, "offset"_a = 0,
           "length"_a = std::nullopt, py::kw_only(), "timeout"_a = std::nullopt,
           "Streams a part, or a range of it, into a function (a file's write); returns how many "
           "octets there were.");
}

void add_changing(client_class& c) {
  c.def(
       "set_flags",
       [](shared_client& s, std::string_view folder, const ids& which, ids add, ids remove,
          std::optional<std::uint64_t> only_if_seq, patience timeout) {
         const retrieval::flag_change what{std::move(add), std::move(remove), only_if_seq};
         return s.call(timeout, [&](auto& inner) { return inner.flag(folder, which, what); });
       },
       "folder"_a, "ids"_a, py::kw_only(), "add"_a = ids{}, "remove"_a = ids{},
       "only_if_seq"_a = std::nullopt, "timeout"_a = std::nullopt,
       "One outcome for each id: done, gone or changed.")
      .def(
          "remove",
          [](shared_client& s, std::string_view folder, const ids& which, patience timeout) {
            return s.call(timeout, [&](auto& inner) { return inner.remove(folder, which); });
          },
          "folder"_a, "ids"_a, py::kw_only(), "timeout"_a = std::nullopt,
          "Deletes messages; one outcome for each id.")
      .def(
          "move",
          [](shared_client& s, std::string_view folder, std::string_view target, const ids& which,
             patience timeout) {
            return s.call(timeout, [&](auto& inner) { return inner.move(folder, target, which); });
          },
          "folder"_a, "target"_a, "ids"_a, py::kw_only(), "timeout"_a = std::nullopt,
          "One outcome for each id.")
      .def(
          "copy",
          [](shared_client& s, std::string_view folder, std::string_view target, const ids& which,
             patience timeout) {
            return s.call(timeout, [&](auto& inner) { return inner.copy(folder, target, which); });
          },
          "folder"_a, "target"_a, "ids"_a, py::kw_only(), "timeout"_a = std::nullopt,
          "The copies' ids; empty where a message is not there.")
      .def(
          "done",
          [](shared_client& s, patience timeout) {
            s.call(timeout, [](auto& inner) { return inner.done(); });
          },
          py::kw_only(), "timeout"_a = std::nullopt, "Says DONE and closes.");
}

}  // namespace

void add_net_clients(py::module_& m) {
  add_client_records(m);
  client_class c(m, "RetrievalClient", R"(A user's connection to his post office.

Each call waits for its answer, without the GIL, at most ``timeout`` seconds where one is given.
Calls from several threads at once are refused (LocalProtocolError, rule in-use). What the post
office refuses is Refused or TemporaryError; anything else that goes wrong ends the connection.
)");
  c.def_static("connect", &connect, "host"_a, "tls"_a, py::kw_only(), "hosts"_a = hosts{},
               "dns_servers"_a = ids{}, "certificate_name"_a = "", "limits"_a = limits{},
               "timeout"_a = std::nullopt, "Connects, proves the server and takes its greeting.")
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__",
           [](shared_client& s, const py::args& raised) { s.close(raised[0].is_none()); });
  c.def_property_readonly(
      "capabilities", &shared_client::capabilities,
      "What the post office can do besides reading; docs/retrieval.md names it.");
  add_reading(c);
  add_changing(c);
  add_client_folders(c);
  add_client_uploads(c);
  add_client_watching(c);
}

}  // namespace ima::python
