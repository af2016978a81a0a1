#pragma once

#include "binding.hpp"

#include <ima/service/post_office.hpp>

#include <memory>

namespace ima::python {

/// Who proves users and finds their mail for a post office: ima.service.Accounts, or a Python
/// object whose by_password() and by_certificate() return the path of a mailbox, or an account of
/// its own.
std::unique_ptr<retrieval::authenticator> office_from(const py::object& users,
                                                      const service::post_office_options& options);

}  // namespace ima::python
