"""Envoy's external processor (gRPC, `envoy.service.ext_proc.v3`), answering as Envoy AI Gateway 0.5 does.

It knows a few paths by heart, lists the models, and writes the model of a body into x-ai-eg-model, by which Envoy
routes. What it cannot decode ends its stream with an error, of which Envoy makes a 500 (internal/extproc/server.go).
An engine's error that is no JSON is put into one (translator/openai_openai.go); all else passes as it is.
"""

# mypy: ignore-errors
# (its dependencies live in another environment than the one that is checked)

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as pb_grpc
from openai_body import Malformed, model_of

CHAT = "/v1/chat/completions"
PATHS = (
    CHAT,
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/images/generations",
    "/cohere/v2/rerank",
    "/anthropic/v1/messages",
)
MODELS = "/v1/models"
MODEL_HEADER = "x-ai-eg-model"
PATH_HEADER = "x-ai-eg-original-path"
OWNER = "Envoy AI Gateway"
NOT_FOUND, FIRST_ERROR = 404, 400
JSON = "application/json"
ATTRIBUTES, DETAILS, UPSTREAM = "envoy.filters.http.ext_proc", "response.code_details", "via_upstream"


class Processor(pb_grpc.ExternalProcessorServicer):
    def __init__(self, models: Sequence[str], created: int) -> None:
        listed = [{"id": name, "created": created, "object": "model", "owned_by": OWNER} for name in models]
        self._models = json.dumps({"object": "list", "data": listed}).encode()

    async def Process(  # noqa: N802
        self, requests: AsyncIterator[pb.ProcessingRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ProcessingResponse]:
        path, status = "", ""
        async for request in requests:
            if request.HasField("request_headers"):
                path = _fields(request.request_headers)[":path"]
                yield self._of_headers(path)
            elif request.HasField("request_body"):
                try:
                    model = model_of(request.request_body.body, chat=_plain(path) == CHAT)
                except Malformed as error:
                    await context.abort(grpc.StatusCode.UNKNOWN, f"error processing request message: {error}")
                yield _routed(model)
            elif request.HasField("response_headers"):
                status = _fields(request.response_headers)[":status"]
                yield _seen(request)
            elif request.HasField("response_body"):
                yield _wrapped(request.response_body.body, status)

    def _of_headers(self, path: str) -> pb.ProcessingResponse:
        if _plain(path) == MODELS:  # whatever the method
            return _immediate(200, self._models, JSON)
        if _plain(path) not in PATHS:
            return _immediate(NOT_FOUND, f"unsupported path: {path}".encode(), "text/plain")
        common = pb.CommonResponse()
        common.header_mutation.remove_headers.append(MODEL_HEADER)  # only the body says which model
        common.header_mutation.set_headers.append(_field(PATH_HEADER, path))
        common.clear_route_cache = True
        return pb.ProcessingResponse(request_headers=pb.HeadersResponse(response=common))


def _fields(message: pb.HttpHeaders) -> dict[str, str]:
    return {
        each.key: (each.raw_value or each.value.encode()).decode("utf-8", "replace") for each in message.headers.headers
    }


def _plain(path: str) -> str:
    return path.partition("?")[0]


def _routed(model: str) -> pb.ProcessingResponse:
    common = pb.CommonResponse(clear_route_cache=True)
    if model:
        common.header_mutation.set_headers.append(_field(MODEL_HEADER, model))
    return pb.ProcessingResponse(request_body=pb.BodyResponse(response=common))


def _seen(request: pb.ProcessingRequest) -> pb.ProcessingResponse:
    """Let the head of an answer pass, and ask for the body of an engine's error that is no JSON."""
    fields = _fields(request.response_headers)
    details = request.attributes[ATTRIBUTES].fields[DETAILS].string_value
    answer = pb.ProcessingResponse(response_headers=pb.HeadersResponse())
    failed = int(fields[":status"]) >= FIRST_ERROR and details == UPSTREAM
    if failed and JSON not in fields.get("content-type", JSON):
        answer.mode_override.response_header_mode = ProcessingMode.SEND
        answer.mode_override.response_body_mode = ProcessingMode.BUFFERED
    return answer


def _wrapped(body: bytes, status: str) -> pb.ProcessingResponse:
    error = {"type": "OpenAIBackendError", "message": body.decode("utf-8", "replace"), "code": status}
    common = pb.CommonResponse()
    common.body_mutation.body = json.dumps({"type": "error", "error": error}).encode()
    length = str(len(common.body_mutation.body))
    for name, value in (("content-type", JSON), ("content-length", length)):
        common.header_mutation.set_headers.append(_field(name, value))
    return pb.ProcessingResponse(response_body=pb.BodyResponse(response=common))


def _immediate(status: int, body: bytes, content_type: str) -> pb.ProcessingResponse:
    answer = pb.ImmediateResponse(body=body)
    answer.status.code = status
    answer.headers.set_headers.append(_field("content-type", content_type))
    return pb.ProcessingResponse(immediate_response=answer)


def _field(name: str, value: str) -> HeaderValueOption:
    overwrite = HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    return HeaderValueOption(header=HeaderValue(key=name, raw_value=value.encode()), append_action=overwrite)
