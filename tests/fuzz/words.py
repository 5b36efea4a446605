"""Words that mean something to what is fuzzed."""

_BLANKS = [b"\n", b"\n\n", b"\r", b"\r\n", b"\x0b", b"\x0c", b" ", b"\t", b"\0", b"\xef\xbb\xbf", b"\xff", b"\xc3"]
_FRAMES = [
    b"data:",
    b"data: ",
    b"event: ",
    b"event: error\n",
    b": c\n",
    b"[DONE]",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b'"',
    b"\\",
]
_VALUES = rb"""
null true 7 -1 1e999 99999999999999999999 "" "stop" "\ud83d" {} [] {"a":1} "1h2m3s" "try again in 9h" "message_stop"
"response.completed" "tool_result" "image" "1e400"
""".split()
_KEYS = [
    b'"%b":' % key
    for key in rb"""
model stream messages contents input content parts type role output thinking reasoning reasoning_effort effort
budget_tokens generationConfig thinkingConfig thinkingBudget output_config choices delta message usage error response
item status code
candidates finishReason finish_reason stop_reason usageMetadata promptFeedback details retryDelay reset_seconds detail
tool_calls functionCall functionResponse inlineData modelVersion input_tokens total_tokens
""".split()
]
_PATHS = rb"""
/ // /./ /../ \ %2f %252f %5c %2e ..; ; ? # %00 %20 %09 %c0%af %u0076 %u002f %ef%bc%8f v0 V0 keep-alive callback debug x
management v1internal http://x %
""".split()
_HEADS = [
    b"\nHost: x",
    b"\nContent-Length: 5",
    b"\nTransfer-Encoding: chunked",
    b"\nUpgrade: h2c",
    b"\nExpect: 100-continue",
    b" 1.0",
    b" 1.1",
]

WORDS = (*_BLANKS, *_FRAMES, *_VALUES, *_KEYS, *_PATHS, *_HEADS)
