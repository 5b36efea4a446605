"""The runbook, paragraph by paragraph: by which rules, probes, mitigations and commands each is carried out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One paragraph, in our own words; every name in it is one that exists."""

    title: str
    rules: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    mitigations: tuple[str, ...] = ()
    """Shipped ones by their names, others by their kinds."""
    commands: tuple[str, ...] = ()
    """Without `runbookd`."""
    today: str
    """What is true of upstreams today, and what follows from it."""


PARAGRAPHS = (
    Paragraph(
        title="Daily: does the upstream answer?",
        rules=("ProviderDown",),
        probes=("health",),
        commands=("status", "doctor", "probe run health"),
        today="No build serves `/health`: ours stands on the proxy's port. The upstream is asked at `/healthz`,"
        " which it has from v6.9.10, else at `/`.",
    ),
    Paragraph(
        title="Daily: which models does it list?",
        rules=("ModelMissing", "ModelInventoryShrunk"),
        probes=("models",),
        commands=("probe run models",),
        today="The list depends on the key and on the headers of who asks: each client key is asked with by itself.",
    ),
    Paragraph(
        title="Daily: figures of each provider",
        rules=("ProviderErrorRatio", "ProviderSlow"),
        probes=("provider_metrics",),
        commands=("status",),
        today="Five versions serve `/v1/metrics/providers`, mostly with nothing in it. At the proxy's port the path"
        " answers from our own events, whatever the upstream has.",
    ),
    Paragraph(
        title="Daily: bursts of 401, 403 and 429 in the log",
        rules=("AuthRejectionBurst", "RateLimitBurst", "LogRejectionBurst"),
        probes=("log_scan",),
        commands=("probe run log_scan", "events tail outcome=failed"),
        today="The upstream's log knows seconds of local time, and needs `logging-to-file`. Events need neither.",
    ),
    Paragraph(
        title="Daily: is Spark there for those who need it?",
        rules=("SparkMissing",),
        probes=("models", "spark"),
        commands=("probe run models spark",),
        today="Only the plus and pro plans have it. `gpt-5.3-codex` has left current lists: what stands in is a"
        " setting, and the first one that is served.",
    ),
    Paragraph(
        title="Quota of each credential",
        rules=("CredentialQuotaExhausted", "StaleCooldown"),
        probes=("quota", "auth_files"),
        mitigations=("reset_quota",),
        commands=("probe run quota",),
        today="The kiro endpoint is on a few builds, and answers for the first credential where it does not know an"
        " index. Elsewhere the list of credentials tells it, and what vendors say in headers.",
    ),
    Paragraph(
        title="When quota and rate limits alert",
        rules=("CredentialQuotaExhausted", "ProviderRateLimited", "TopProvidersQuotaExhausted"),
        probes=("quota",),
        commands=("alerts", "explain ProviderRateLimited"),
        today="The upstream tries again by itself, which hides some 429s and multiplies others. What it answers"
        " itself while a credential rests (`local_cooldown`) is a fault of its own, and not counted.",
    ),
    Paragraph(
        title="What is done then",
        rules=("ProviderRateLimited", "TopProvidersQuotaExhausted"),
        mitigations=("fallback", "next-credential", "quota-fallback", "credential_disable"),
        commands=("mitigations apply quota-fallback", "mitigations revert quota-fallback"),
        today="The two quota switches change nothing on any build that was read: they are marked `no effect known`,"
        " not written unless you insist, and never the only thing that is done.",
    ),
    Paragraph(
        title="Onboarding a provider",
        rules=("OnboardingWatch",),
        probes=("models",),
        commands=("onboard iflow",),
        today="Nothing of an upstream is needed beyond its list of models.",
    ),
    Paragraph(
        title="Several credentials, a spare provider, prefixes by workload",
        rules=("ProviderRateLimited",),
        mitigations=("next-credential", "reroute"),
        commands=("doctor",),
        today="Priorities of credentials are heeded by every build, and shown by newer ones. `doctor` names a"
        " workload without an alternative.",
    ),
    Paragraph(
        title="Repeated 401 and 403",
        rules=("AuthRejectionBurst", "RefreshStuck"),
        probes=("auth_files",),
        mitigations=("credential_disable",),
        commands=("events tail fault=provider_auth", "doctor"),
        today="A client's own key is refused with a plain sentence, a provider's refusal is an object: the one is"
        " `client_unauthorized`, the other `provider_auth`.",
    ),
    Paragraph(
        title="Repeated 429",
        rules=("ProviderRateLimited", "RateLimitBurst", "RetryStorm"),
        mitigations=("fallback", "next-credential", "limit_concurrency", "reroute", "block_model", "excluded_models"),
        commands=("events tail fault=provider_rate_limited",),
        today="`Retry-After` is there or not, as the vendor likes; a reset in hours is told apart as `provider_quota`.",
    ),
    Paragraph(
        title="The wrong provider answers",
        rules=("WrongProvider", "AliasCollision"),
        probes=("attribution", "aliases"),
        commands=("probe run attribution aliases", "events tail provider_evidence=trace"),
        today="Newer builds name the credential in `X-CPA-TRACE-ID`. On others a provider is known by patterns,"
        " prefixes and owners.",
    ),
    Paragraph(
        title="Models that are missing",
        rules=("ModelMissing", "ModelInventoryShrunk"),
        probes=("models",),
        commands=("probe run models",),
        today="A filter of the upstream, a plan that changed and a credential that is gone look the same in the list.",
    ),
    Paragraph(
        title="Images in the results of tools",
        rules=("ToolImageErrors", "ToolImageCanary"),
        probes=("tool_image",),
        mitigations=("reroute",),
        commands=("probe run tool_image", "events tail has_tool_result_image=true outcome=failed"),
        today="Every translation between two wires has to move the image; most breaks came with an upgrade.",
    ),
    Paragraph(
        title="The same usage at once and as a stream",
        rules=("UsageParity", "ZeroUsageUnderLoad"),
        probes=("usage_parity",),
        commands=("probe run usage_parity", "events tail usage_present=false"),
        today="A stream that broke off has no usage, and is not compared. Output may differ within a band, input not.",
    ),
    Paragraph(
        title="iFlow: which models are to be seen",
        rules=("ModelMissing", "ModelInventoryShrunk"),
        probes=("models", "iflow"),
        commands=("probe run iflow",),
        today="Ids carry no `iflow/` unless a prefix is set, and current builds have no iFlow: providers are data.",
    ),
    Paragraph(
        title="iFlow: errors of the account",
        rules=("IflowErrorRatio", "IflowCanary"),
        probes=("iflow",),
        mitigations=("reroute",),
        commands=("probe run iflow", "events tail provider_key=iflow outcome=failed"),
        today="No build has figures of iFlow: the ratio is that of our events, and the canary says whose fault it is.",
    ),
    Paragraph(
        title="Usage of zero under load",
        rules=("ZeroUsageUnderLoad",),
        probes=("usage_parity",),
        commands=("events tail usage_present=false",),
        today="A client that streams without `include_usage` gets none, which is no fault: missing and zero are two"
        " facts.",
    ),
    Paragraph(
        title="Antigravity: what works, by model and wire",
        rules=("AntigravityEmpty", "AntigravityCanary"),
        probes=("antigravity",),
        commands=("probe run antigravity",),
        today="The upstream's settings do not say which clients are supported: canaries find out.",
    ),
    Paragraph(
        title="Spark fails for want of eligibility",
        rules=("SparkErrorRatio", "SparkMissing"),
        probes=("spark",),
        mitigations=("fallback",),
        commands=("probe run spark", "mitigations apply fallback", "events tail requested_model=gpt-5.3-codex-spark"),
        today="It shows as 400, 404, 502 or 503, and the first one keeps a credential off the model for twelve hours.",
    ),
    Paragraph(
        title="Before Codex 5.3 is switched on",
        rules=("NegotiationProbe",),
        probes=("negotiation", "health", "models"),
        commands=("probe run --gate health models negotiation",),
        today="A gate's exit code is for scripts: 0 only where all is seen to be well.",
    ),
    Paragraph(
        title="Amp goes past the proxy",
        rules=("AmpBypass",),
        mitigations=("ampcode_mapping",),
        probes=("amp",),
        commands=("exec -- amp", "env --client amp"),
        today="Amp reads `AMP_URL`; `OPENAI_API_BASE` does nothing. `exec` looks at the way first, with what Amp"
        " would get.",
    ),
    Paragraph(
        title="Credential files that come twice",
        rules=("AuthFileDuplicates", "AuthFilesChanged"),
        probes=("auth_files",),
        commands=("probe run --gate auth_files",),
        today="The list has `files`, each with a `name`; it needs the management API.",
    ),
    Paragraph(
        title="One name for each thing",
        probes=("quota",),
        commands=("probe run quota",),
        today="No build uses the runbook's five names. They are ours, in the API, the database, metrics and messages.",
    ),
    Paragraph(
        title="Messages by Apprise, beside the traffic",
        rules=("NotifierFailing",),
        commands=("notify test --dry-run", "notify test"),
        today="Apprise's own dry run passes with one bad address among good ones: ours tries each. It runs as a"
        " process of its own, and no answer waits for it.",
    ),
    Paragraph(
        title="Thinking that drifts",
        rules=("ThinkingMismatch", "ThinkingCanary", "ReasoningTokenGrowth"),
        probes=("thinking",),
        mitigations=("pin_thinking", "model_alias"),
        commands=("probe run thinking", "events tail thinking_match=false"),
        today="Log lines tell it without naming the request. The usage record of a trace, or the answer's own echo,"
        " does better; where nothing tells it, it is unknown, and not counted.",
    ),
    Paragraph(
        title="One way that is quick, one that is spare",
        rules=("ProviderErrorRatio", "ProviderSlow", "ProviderDown"),
        mitigations=("reroute", "fallback"),
        commands=("doctor", "status"),
        today="Which workload may go where is said in `workloads:`, and needs nothing of the upstream.",
    ),
)
