"""Every error that the orchestrator raises on purpose.

    DanGError                        code, retryable, HTTP status, exit code
    ├── InputError                   what was given cannot be used            400, exit 2
    │   ├── ConfigurationError       a configuration file or override
    │   ├── DataError                rows, files, time stamps, units
    │   │   ├── UnknownTagError      a tag that the tag table does not hold  422
    │   │   └── InsufficientDataError  too little history for what is asked    422
    │   ├── ParameterError           parameters of an operation               422
    │   └── PayloadTooLargeError     a body above the limit                   413
    ├── NotFoundError                no such thing                            404, exit 3
    │   ├── UnknownModuleError
    │   └── UnknownOperationError
    ├── RefusedError                 understood and not done                  409, exit 4
    │   ├── GateRefusedError         a gate of the decision engine holds it
    │   ├── UnsafeError              the safety agent or the writer holds it
    │   ├── PlantRefusedError        the control system did not carry out a write
    │   └── ConflictError            contradicts what is already stored
    ├── OperationError               an operation was started and failed      500, exit 5
    │   ├── OperationTimedOutError                                            504
    │   ├── OperationCancelledError                                           409
    │   └── WorkerLostError          the worker process died (retryable)
    └── UnavailableError             try again later (retryable)              503, exit 5
        ├── DatabaseUnavailableError
        ├── CacheUnavailableError
        ├── HomeLockedError          another process owns the home
        └── ModelError               the language model gave no usable answer
            ├── ModelUnreachableError  no connection, a broken one, or a fault of the server
            ├── ModelBusyError         the server has too much to do, or is left alone for a while
            ├── ModelRejectedError     key, balance, address or request: somebody must mend it
            ├── ModelReplyError        what it answered cannot be used
            ├── ModelDeadlineError     no answer in time
            └── ModelBudgetError       what may be spent today is spent

An error says what is wrong, where, why it matters and what to do. Errors cross process boundaries,
so each one pickles with all its attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from orchestrator.field_errors import in_words

PROBLEM_TYPE_PREFIX = "urn:dan-g:problem:"


class DanGError(Exception):
    """Base of all errors raised on purpose.

    Args:
        what: What is wrong, with the offending value.
        where: The place: a file, field, tag, module or run.
        why: Why it matters, when that is not plain.
        remedy: What the reader can do about it.
        context: Further machine-readable facts, shown in the problem document.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    retryable: ClassVar[bool] = False
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 5

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        why: str | None = None,
        remedy: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.remedy = remedy
        self.context = dict(context or {})

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        rest = (as_sentence(part) for part in (self.why, self.remedy) if part)
        return ". ".join(part.rstrip(".") for part in (head, *rest))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.where, self.why, self.remedy, self.context)

    def problem(self, instance: str | None = None) -> dict[str, Any]:
        """The error as an RFC 9457 problem document."""
        document: dict[str, Any] = {
            "type": PROBLEM_TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": str(self),
            "retryable": self.retryable,
        }
        if instance:
            document["instance"] = instance
        for name in ("where", "why", "remedy"):
            value = getattr(self, name)
            if value:
                document[name] = value
        return {**self.context, **document}


def as_sentence(text: str) -> str:
    """The text with a capital at its begin, unless it begins with a name such as ``dan-g`` or a key."""
    first = text.partition(" ")[0].rstrip(",;:")
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _rebuild(
    kind: type[DanGError],
    what: str,
    where: str | None,
    why: str | None,
    remedy: str | None,
    context: dict[str, Any],
) -> DanGError:
    return kind(what, where=where, why=why, remedy=remedy, context=context)


class InputError(DanGError):
    """What was given cannot be used.

    Where fields are at fault, its problem document lists ``errors``, each
    ``{"field", "message", "type"}``.
    """

    code = "invalid-input"
    title = "The input cannot be used"
    status = 400
    exit_code = 2

    @classmethod
    def of_fields(
        cls,
        errors: Sequence[Mapping[str, str]],
        *,
        where: str | None = None,
        why: str | None = None,
        remedy: str | None = None,
    ) -> Self:
        """One error for all fields that do not fit."""
        listed = {"errors": [dict(item) for item in errors]}
        return cls(in_words(errors), where=where, why=why, remedy=remedy, context=listed)

    @classmethod
    def of_field(
        cls,
        field: str,
        message: str,
        *,
        where: str | None = None,
        why: str | None = None,
        remedy: str | None = None,
    ) -> Self:
        """An error in one field; ``message`` goes on after its name."""
        item = {"field": field, "message": message, "type": "value_error"}
        return cls.of_fields([item], where=where, why=why, remedy=remedy)


class ConfigurationError(InputError):
    """A configuration file, environment override or option is wrong."""

    code = "configuration"
    title = "The configuration cannot be used"


class DataError(InputError):
    """Rows, files, time stamps or units are wrong."""

    code = "data"
    title = "The data cannot be used"


class UnknownTagError(DataError):
    """A tag that the tag table or the data does not hold."""

    code = "unknown-tag"
    title = "Unknown tag"
    status = 422


class InsufficientDataError(DataError):
    """There is too little history for what is asked."""

    code = "insufficient-data"
    title = "Too little data"
    status = 422


class ParameterError(InputError):
    """The parameters of an operation or a request do not fit its schema."""

    code = "parameters"
    title = "The parameters do not fit"
    status = 422


class PayloadTooLargeError(InputError):
    """A request body is larger than the service accepts."""

    code = "payload-too-large"
    title = "The request is too large"
    status = 413


class NotFoundError(DanGError):
    """There is no such thing."""

    code = "not-found"
    title = "Not found"
    status = 404
    exit_code = 3


class UnknownModuleError(NotFoundError):
    """No module of that name is registered."""

    code = "unknown-module"
    title = "Unknown module"


class UnknownOperationError(NotFoundError):
    """The module has no operation of that name."""

    code = "unknown-operation"
    title = "Unknown operation"


class RefusedError(DanGError):
    """The request was understood and is not carried out."""

    code = "refused"
    title = "Refused"
    status = 409
    exit_code = 4


class GateRefusedError(RefusedError):
    """A gate of the decision engine holds the operation."""

    code = "gate-refused"
    title = "A gate refuses the operation"


class UnsafeError(RefusedError):
    """The safety agent or the writer holds a move of the plant."""

    code = "unsafe"
    title = "Held for safety"


class PlantRefusedError(RefusedError):
    """The control system answered that it did not carry out a write."""

    code = "plant-refused"
    title = "The plant refuses the write"


class ConflictError(RefusedError):
    """The request contradicts what is already stored."""

    code = "conflict"
    title = "Conflict"


class OperationError(DanGError):
    """An operation was started and failed."""

    code = "operation-failed"
    title = "The operation failed"


class OperationTimedOutError(OperationError):
    """An operation ran longer than its time-out."""

    code = "operation-timed-out"
    title = "The operation timed out"
    status = 504


class OperationCancelledError(OperationError):
    """An operation was cancelled while queued or running."""

    code = "operation-cancelled"
    title = "The operation was cancelled"
    status = 409


class WorkerLostError(OperationError):
    """The worker process died while it ran the operation."""

    code = "worker-lost"
    title = "The worker process died"
    retryable = True


class UnavailableError(DanGError):
    """Something that is needed is not there now; try again later."""

    code = "unavailable"
    title = "Temporarily unavailable"
    retryable = True
    status = 503


class DatabaseUnavailableError(UnavailableError):
    """The state database cannot be reached."""

    code = "database-unavailable"
    title = "The database is unavailable"


class CacheUnavailableError(UnavailableError):
    """The cache cannot be reached; callers go on without it."""

    code = "cache-unavailable"
    title = "The cache is unavailable"


class HomeLockedError(UnavailableError):
    """Another process owns this home."""

    code = "home-locked"
    title = "The home is in use"


class ModelError(UnavailableError):
    """The language model gave no answer that can be used; the policy and the parser decide alone."""

    code = "model-unavailable"
    title = "The language model gave no usable answer"


class ModelUnreachableError(ModelError):
    """There is no connection to the model's server, or it broke, or the server failed."""

    code = "model-unreachable"
    title = "The language model cannot be reached"


class ModelBusyError(ModelError):
    """The model's server has too much to do, or failed so often that it is left alone for a while."""

    code = "model-busy"
    title = "The language model is busy"


class ModelRejectedError(ModelError):
    """The server refuses key, balance, address or request; repeating it changes nothing."""

    code = "model-rejected"
    title = "The language model's server refuses the request"
    retryable = False


class ModelReplyError(ModelError):
    """What the model answered cannot be used: blank, cut off, endless, or not what was asked for."""

    code = "model-reply"
    title = "The language model's answer cannot be used"


class ModelDeadlineError(ModelError):
    """The model did not answer within the deadline."""

    code = "model-deadline"
    title = "The language model did not answer in time"


class ModelBudgetError(ModelError):
    """What models may use today is used."""

    code = "model-budget"
    title = "The day's budget for language models is spent"
    retryable = False
