"""Every reason in a status, in one table: meaning, cause, fix.

KAITO's reasons come first and keep their names, because users' scripts match them; the rest are Modelyard's. The
documentation page is generated from this table. A reason missing here is a bug; `reason` raises KeyError.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain


class FailureClass(StrEnum):
    """What happens after a failure with this reason, as docs/reasons.md lists it; `none` is no failure."""

    NONE = "none"
    WAIT = "wait"
    RETRY = "retry"
    FAIL = "fail"
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Reason:
    """One word of the status."""

    name: str
    meaning: str
    cause: str
    fix: str
    failure: FailureClass


_NOTHING = "nothing to do"
_PROGRESS = "the step is under way"

_KAITO = (
    ("NodeClaimsReady", "All nodes were allocated.", "the cloud has allocated every node", _NOTHING, "none"),
    ("NodeClaimNotReady", "Nodes are still being allocated.", _PROGRESS, "wait; the deadline is in the status", "wait"),
    ("NodesReady", "All nodes joined and offer their GPUs.", "the nodes are Ready", _NOTHING, "none"),
    ("NodeNotReady", "Some nodes are not Ready yet.", "nodes are starting or joining", "wait for the deadline", "wait"),
    ("NodePluginsNotReady", "A node joined, its GPUs are not offered yet.", "the device plugin starts",
     "wait; when it lasts, look at the device plugin's pods on that node", "wait"),
    ("NodesReleased", "The nodes were released.", "the training has ended", _NOTHING, "none"),
    ("workspaceResourceStatusSuccess", "All resources are there.", "nodes joined and offer GPUs", _NOTHING, "none"),
    ("workspaceResourceStatusNotReady", "Resources are not there yet.", _PROGRESS, "wait for the deadline", "wait"),
    ("ModelMirrorReady", "The model is in the cluster's cache.", "the download is complete", _NOTHING, "none"),
    ("ModelMirrorPending", "The model is being downloaded to the cache.", _PROGRESS, "wait for the deadline", "wait"),
    ("WorkspaceInferenceStatusSuccess", "The model serves.", "a completion was answered", _NOTHING, "none"),
    ("WorkspaceInferenceStatusPending", "The model does not serve yet.", _PROGRESS, "wait for the deadline", "wait"),
    ("BenchmarkCompleted", "The benchmark's result is recorded.", "the benchmark ran", _NOTHING, "none"),
    ("BenchmarkFailed", "The benchmark gave no result.", "the server stopped or refused during the benchmark",
     "read the serving pod's log; serving is not affected", "retry"),
    ("WorkspaceTuningJobStatusStarted", "The training started.", "the Job runs", _NOTHING, "none"),
    ("WorkspaceTuningJobStatusPending", "The training has not started.", _PROGRESS, "wait for the deadline", "wait"),
    ("WorkspaceTuningJobStatusFailed", "The training failed.", "the Job reached its limit of retries",
     "read the message and the training pod's log", "fail"),
    ("workspaceSucceeded", "The Workspace does its job.", "it serves, or the adapter is published", _NOTHING, "none"),
    ("GenerationApplied", "The newest generation is what serves.", "an edit before it had failed", _NOTHING, "none"),
    ("workspacePending", "The Workspace is on its way.", _PROGRESS, "wait for the deadline in the status", "wait"),
    ("workspaceFailed", "The Workspace failed.", "the message names the step and the cause",
     "change the spec, or set the annotation modelyard.dev/retry to a new value", "fail"),
    ("workspaceDeleted", "The Workspace is being deleted.", "a delete was requested", _NOTHING, "none"),
)  # fmt: skip

_SPEC = (
    ("InvalidSpec", "The Workspace cannot be read.", "a field has the wrong name, type or value",
     "correct the field that the message names", "fail"),
    ("SectionMissing", "There is nothing to do.", "neither inference nor tuning is given, or both are",
     "give exactly one of inference and tuning", "fail"),
    ("PresetUnknown", "The preset is not known.", "preset.name is neither a known preset nor organisation/model",
     "use a name from the message, or organisation/model of Hugging Face", "fail"),
    ("InstanceTypeUnknown", "The machine type is not known.", "resource.instanceType is not in the table of machines",
     "use a machine type from the message", "fail"),
    ("InstanceTypeMissing", "No machine type is given.", "resource.instanceType is empty and nodes are to be bought",
     "set resource.instanceType, or bring your own nodes", "fail"),
    ("ConfigNotFound", "The ConfigMap is not there.", "inference.config or tuning.config names what does not exist",
     "create the ConfigMap in the Workspace's namespace, with the key that the message names", "fail"),
    ("ConfigInvalid", "The ConfigMap cannot be used.",
     "its content is not valid YAML, or holds a value that is refused",
     "correct the key that the message names", "fail"),
    ("SecretNotFound", "A Secret is not there.", "a Secret that the Workspace names is missing, or lacks the key",
     "create the Secret in the Workspace's namespace, with the key that the message names", "fail"),
    ("DoesNotFit", "The model does not fit these machines.", "weights and cache need more memory than the nodes have",
     "use the machine type or the count that the message names, or lower max-model-len", "fail"),
    ("Superseded", "A newer spec replaced this one.", "the Workspace was edited while a step was under way",
     _NOTHING, "none"),
)  # fmt: skip

_MODEL = (
    ("ModelNotFound", "The model is not there.", "the repository or the revision does not exist",
     "check the name; for a private model also give modelAccessSecret", "fail"),
    ("ModelGated", "The model's licence was not accepted.", "the model is gated and the token may not read it",
     "accept the licence on the model's page with the account of HF_TOKEN, and give modelAccessSecret", "fail"),
    ("ModelTokenInvalid", "The model's token was refused.", "HF_TOKEN in modelAccessSecret is wrong or expired",
     "put a valid token into the Secret", "fail"),
    ("ModelUnreachable", "The model hub cannot be reached.", "network, proxy or the hub itself",
     "check that the cluster reaches the hub's address in the message; it is tried again", "retry"),
    ("ModelHubBusy", "The model hub throttles requests.", "too many requests from this address or with this token",
     "wait; requests with a token (modelAccessSecret) have a higher limit", "wait"),
    ("ModelUnsupported", "vLLM does not serve this model.", "vLLM has no class for the model's architecture",
     "choose another model, or serve it with an image of yours in inference.template", "fail"),
    ("ModelNeedsCode", "The model runs only with code of its own.", "only the repository's own code knows the model",
     "choose a model that vLLM has, or serve it with an image of yours in inference.template", "fail"),
    ("ModelWritesNoText", "The model is not a language model.", "it embeds, classifies or transcribes",
     "choose a model for text generation", "fail"),
    ("ModelWithoutWeights", "The model's repository has nothing to load.", "it has no safetensors and no PyTorch files",
     "use the original repository instead of a GGUF or ONNX copy", "fail"),
    ("ModelConfigInvalid", "The model's configuration cannot be used.", "config.json is missing or has wrong numbers",
     "choose another model or revision; the message names the number", "fail"),
    ("DownloadFailed", "The weights could not be downloaded.", "the download broke off or the disk is full",
     "read the fetch container's log; it is tried again", "retry"),
)  # fmt: skip

_NODES = (
    ("QuotaExceeded", "The subscription's quota is used up.", "the machine family has too few vCPUs left in the region",
     "ask for the quota that the message names, or use another machine type or region", "fail"),
    ("SkuNotAvailable", "The machine type is not offered here.", "region, zone or subscription does not offer it",
     "use another machine type, or list alternatives in modelyard.dev/instance-type-fallbacks", "fail"),
    ("AllocationFailed", "The cloud has no free machine of this type.", "capacity in the region or zone is used up",
     "wait for the next try, or list alternatives in modelyard.dev/instance-type-fallbacks", "retry"),
    ("PriceAboveLimit", "The nodes cost more than the Workspace allows.",
     "all nodes together cost more per hour than modelyard.dev/max-price-per-hour",
     "raise the limit, or use a cheaper machine type or fewer nodes", "fail"),
    ("PolicyRefused", "The operator's policy does not allow this.",
     "a machine type, an amount of nodes or money, a volume, a template or an image that the namespace may not have",
     "read the message: it has the limit, what is in use, and who to ask; then set modelyard.dev/retry to a new value",
     "fail"),
    ("PoolLimitReached", "The cluster may have no more node pools.", "the cluster's limit of node pools is reached",
     "delete a pool or a Workspace that is not needed", "fail"),
    ("CloudBusy", "The cluster is busy with another change.", "another operation on the cluster or pool is in progress",
     "wait; it goes on by itself", "wait"),
    ("CloudThrottled", "The cloud throttles requests.", "too many requests for this subscription", "wait", "wait"),
    ("CloudUnreachable", "The cloud's API cannot be reached.", "the network, or an outage of the cloud",
     "check the network and the cloud's status page; it is tried again", "retry"),
    ("CloudForbidden", "Modelyard may not do this in the cloud.", "the identity lacks a role on the cluster",
     "give the identity the role that the message names", "fail"),
    ("CloudPolicyRefused", "An Azure policy does not allow these nodes.",
     "a policy of the subscription refuses the machine type, a tag, encryption or another property of the pool",
     "choose what the policy allows, or have its owner make an exemption; the message names the policy", "fail"),
    ("CloudLocked", "A lock in Azure forbids the change.", "a lock on the cluster, its resource group or subscription",
     "have the lock removed that the message names, then set modelyard.dev/retry to a new value", "fail"),
    ("SubscriptionDisabled", "The Azure subscription is disabled.", "it has expired, or a payment is missing",
     "have the subscription enabled again, then set modelyard.dev/retry to a new value", "fail"),
    ("FeatureNotRegistered", "The Azure subscription lacks a feature.",
     "a pool option needs a feature or a resource provider that is not registered, such as encryption at host",
     "register what the message names, or have the operator set the pool option off", "fail"),
    ("SubnetFull", "The nodes' subnet has too few free addresses.", "the subnet is too small, or others use it up",
     "free addresses, or have the operator name a larger subnet in the pool options", "fail"),
    ("NetworkRefused", "The network does not take the nodes.",
     "the subnet does not exist, is delegated to others, or a limit of public addresses is reached",
     "correct the network, or the pool options that name it, as the message says", "fail"),
    ("HostNotFound", "The name of a host does not exist.",
     "no DNS server knows the registry, hub, data server or cloud endpoint that the message names",
     "correct the name, or have it added to DNS; then set the annotation modelyard.dev/retry to a new value", "fail"),
    ("NodeClaimsMissing", "The cluster has no NodeClaims.", "neither gpu-provisioner nor Karpenter is installed in it",
     "install one of them, or make the Workspace with another modelyard.dev/node-provider", "fail"),
    ("NodeNotJoined", "A node was bought and did not join.", "the machine did not start, or cannot reach the cluster",
     "it is replaced, twice at most; then look at the pool's machines", "retry"),
    ("GpusNotOffered", "Nothing in the cluster would offer the GPUs of nodes.",
     "no device plugin is installed, or it does not run on nodes with Modelyard's taints",
     "install one as the message says; a Workspace that waits goes on by itself", "wait"),
    ("NodeWithoutGpu", "A node joined without its GPUs.", "driver or device plugin failed on the node",
     "it is replaced, twice at most; then look at the device plugin's log", "retry"),
    ("NodeLost", "A node of this Workspace is gone.", "the machine was evicted, stopped or removed",
     "it is replaced; nothing to do", "retry"),
    ("SpotEvicted", "A spot node of this Workspace is gone.", "Azure evicted the machine, or it failed",
     "it is bought again, twice at most before the next option; nothing to do", "retry"),
    ("NoMatchingNodes", "No node of yours can be used.", "no node has the labels and a free GPU",
     "label a node as the message says, or free a GPU", "wait"),
)  # fmt: skip

_SERVING = (
    ("ImagePullError", "An image cannot be pulled.", "wrong reference, no right to pull, or the registry is down",
     "correct the image or the pull secret that the message names", "retry"),
    ("ContainerStartError", "A container does not start.", "its command or its mounts are wrong",
     "read the message and the pod's events", "fail"),
    ("ContainerCrashLoopBackOff", "A container crashes again and again.", "the server stops with an error",
     "read the message and the container's last log lines", "fail"),
    ("ContainerOOMKilled", "A container ran out of memory.", "weights and cache need more memory than the node has",
     "lower max-model-len, or use a larger machine type", "fail"),
    ("NodeDiskPressure", "A node's disk is full.", "images and weights need more disk than the node has",
     "use a machine type with a larger disk", "retry"),
    ("NodeMemoryPressure", "A node's memory is full.", "other pods on the node, or a model too large for it",
     "use a larger machine type", "retry"),
    ("PodEvicted", "A pod was evicted.", "the node ran out of disk or memory", "it is started again", "retry"),
    ("PodsForbidden", "No pod may be made.",
     "Pod Security, a limit of the namespace, a webhook of the cluster or a missing ServiceAccount refuses the pods",
     "read the message: it has the API server's words; change the template, or what refuses it, and try again", "fail"),
    ("PodQuotaExceeded", "The namespace's quota leaves no room for the pods.", "a ResourceQuota is used up",
     "raise the quota or delete what uses it; then set the annotation modelyard.dev/retry to a new value", "fail"),
    ("PushForbidden", "The output's registry refuses the push.",
     "imagePushSecret has no right to push, or the repository does not exist",
     "give the account the right to push or correct the Secret; an adapter that is trained already is kept", "fail"),
    ("StorageClassMissing", "A volume's StorageClass is not there.",
     "a volume names a StorageClass that the cluster lacks, or it names none and the cluster has no default",
     "name one of the classes in the message", "fail"),
    ("Unschedulable", "A pod finds no node.", "labels, taints or free GPUs of the nodes do not fit",
     "read the message: it lists what each node lacks", "wait"),
    ("ServingTimeout", "The model did not serve in time.", "loading takes longer than the deadline, or it hangs",
     "read the serving pod's log; the deadline can be raised", "fail"),
    ("VerifyFailed", "The server answers, but not as it should.", "a completion failed for the model or an adapter",
     "read the message: it names the model and the server's answer", "fail"),
    ("ServedByKaito", "KAITO's workload or nodes of this Workspace are still there.",
     "the Workspace was made under KAITO, whose objects are left alone until somebody deletes them",
     "hand it over with the commands in the message: docs/migrate-from-kaito.md", "fail"),
    ("WorkloadNotKept", "What served before cannot be put back.",
     "its Deployment was gone, or had been changed by others, when the edit came",
     "correct the edit that the message names; the next generation is tried as a first one", "fail"),
    ("OwnershipConflict", "An object of that name has another owner.", "it exists without this Workspace's labels",
     "rename the Workspace, or remove the object that the message names", "fail"),
)  # fmt: skip

_OPERATION = (
    ("Preflight", "The spec is being checked.", _PROGRESS, _NOTHING, "none"),
    ("PreflightPassed", "No preflight check failed.", "every check passed, or was left unknown by a transient error",
     "nothing to do; the message names what could not be checked", "none"),
    ("Paused", "Work on this Workspace is paused.", "a user paused it",
     "remove the annotation modelyard.dev/paused, or resume", "wait"),
    ("Releasing", "Bought resources are being released.", "the Workspace failed, changed or is being deleted",
     _NOTHING, "wait"),
    ("CleanupBlocked", "A resource could not be released.", "the cloud or the cluster refuses the delete",
     "read the message: it names what is left; the finalizer stays until it is gone", "retry"),
    ("DeadlineExceeded", "A step took longer than it may.", "the message names the step and what it waited for",
     "read the message; to try again, set the annotation modelyard.dev/retry to a new value", "fail"),
    ("ControllerError", "Modelyard itself failed.", "a bug in Modelyard; other Workspaces are not affected",
     "report it with the message; everything bought stays on record", "bug"),
)  # fmt: skip

_MACHINERY = (
    ("ClusterStopped", "The AKS cluster is stopped.", "someone stopped it, or it is about to stop or to start",
     "start the cluster (az aks start); the Workspace goes on by itself", "wait"),
    ("ClusterUpgrading", "The AKS cluster is being upgraded.", "an upgrade of the cluster runs",
     "wait until it has ended; the Workspace goes on by itself", "wait"),
    ("PoolFailed", "A node pool's operation ended as failed.",
     "the cloud ended it with an error, which the message quotes",
     "it is tried again; then look at the pool in the portal", "retry"),
    ("CloudRequestRefused", "The cloud refused the request.", "a property of the pool is not allowed there",
     "read the message: it quotes the cloud's error", "fail"),
    ("ApiServerAway", "The Kubernetes API server cannot be reached.",
     "the cluster is stopped or starts, or the network to it is broken",
     "start the cluster, or mend the network; deadlines stand still until it answers", "wait"),
    ("ApiServerUnavailable", "The Kubernetes API server is overloaded.", "it has just started, or is overloaded",
     "wait; it is tried again", "retry"),
    ("ApiServerRefused", "The Kubernetes API server refused a request.", "Modelyard's rights, a quota or a policy",
     "read the message; deploy/rbac lists the rights that are needed", "fail"),
    ("WorkspaceGone", "The Workspace is not there any more.", "it was removed together with its finalizer",
     "nothing to do: what it held is released", "fail"),
    ("WorkerDraining", "A worker is being replaced.", "a rollout or a scale-down",
     "wait; another worker goes on", "wait"),
)  # fmt: skip

_DATA = (
    ("DataEmpty", "There is nothing to train on.", "no file of a known format, or no row that can be learnt from",
     "give parquet, json, jsonl, csv or arrow files; the message names the first row and column", "fail"),
    ("DataUnreadable", "A data file cannot be read.", "it is damaged, or not of the format that its name says",
     "correct the file, and the row, that the message names", "fail"),
    ("DataColumnsUnknown", "The data's columns are not known.", "no column has a name that says what to learn",
     "rename the columns, or name them in DatasetConfig; the message lists them", "fail"),
    ("DataNotFound", "Data is not there.", "a link, an image or a folder does not exist",
     "correct the link or the image that the message names", "fail"),
    ("DataForbidden", "Data may not be read.", "a link has expired or needs a login, or a pull secret is wrong",
     "give a link that is public or signed, or correct the imagePullSecret that the message names", "fail"),
    ("DataAddressRefused", "A link leads to an address that is not allowed.",
     "its host, its DNS answer or a redirect is a private or local address",
     "use a public address, or have the operator allow the host", "fail"),
    ("DataIsWebPage", "A link gives a web page instead of data.", "it is a page about the file, or a login page",
     "use the link of the file itself; on Hugging Face it contains /resolve/", "fail"),
    ("DataUnreachable", "The data's server cannot be reached.", "DNS, network or the server itself",
     "check the link's host in the message; it is tried again", "retry"),
    ("DataStalled", "Data stopped coming.", "the server keeps the connection and sends nothing",
     "check the server in the message; it is tried again and goes on where it was", "retry"),
    ("DataDownloadFailed", "Data came damaged or broke off.", "the connection broke, or a checksum is wrong",
     "it is tried again and goes on where it was", "retry"),
    ("DataTooLarge", "There is more data than is allowed.", "size or number of files is over the limit",
     "give less data, or have the operator raise the limit that the message names", "fail"),
    ("DataDiskFull", "The data does not fit on its volume.", "the volume is smaller than the data",
     "give less data, or have the operator raise the size of the volume", "fail"),
    ("DataImageInvalid", "The data image cannot be used.", "it is not an image, has no /data, or its layers are unsafe",
     "build the image anew with plain files below /data; the message names the entry", "fail"),
)  # fmt: skip

_TUNING = (
    ("DataRowsTooLong", "A row is longer than it may be.", "it has more tokens than max_length, and cutting is off",
     "raise max_length, shorten the row that the message names, or set over_long_rows to truncate or drop", "fail"),
    ("ModelNotTunable", "The model cannot be trained.",
     "its weights are quantized, its modules are not known, or transformers does not load it as a text model",
     "choose another model; the message has the cause", "fail"),
    ("TrainingImpossible", "The training cannot begin.",
     "a library refuses the settings, the model or the data before the first step, and would each time",
     "change what the message names; the training pod's log has more", "fail"),
    ("TrainingDiverged", "The loss is NaN or infinite.", "the steps are too large, or rows are broken",
     "lower learning_rate or add warmup_steps; the last checkpoint before it is kept", "fail"),
    ("TrainingOutOfMemory", "The training does not fit into memory.", "also with half the rows at once it does not fit",
     "lower max_length, use method qlora, or use a machine with more memory", "fail"),
    ("TrainingDiskFull", "The training's volume is full.", "checkpoints, prepared data and results need more room",
     "use a larger volume, or lower save_total_limit", "fail"),
    ("TrainingStalled", "The training makes no progress.", "no step and no other sign of life within the deadline",
     "it is started again and goes on from the last checkpoint", "retry"),
    ("AcceleratorFault", "A GPU or its driver failed.", "the device or its driver reports an error",
     "it is started again, a training from its last checkpoint; then the next of "
     "modelyard.dev/instance-type-fallbacks is tried; if there is none, replace the node", "retry"),
    ("TrainingCrashed", "The training ended with an error.", "the message has the first line of it",
     "it is started again and goes on from the last checkpoint; read the training pod's log", "retry"),
    ("TrainingStopped", "The training was stopped by a signal.", "the pod was evicted, or the node is going away",
     "nothing to do: it goes on from the checkpoint that was written", "retry"),
)  # fmt: skip

_PUBLISHING = (
    ("AdapterIncomplete", "There is no complete adapter to publish.", "a file is missing or is not what training wrote",
     "read the message: it names the file; then set the annotation modelyard.dev/retry to a new value", "fail"),
    ("RegistryUnreachable", "The registry cannot be reached.", "DNS, network or the registry itself",
     "check the registry in the message; the adapter is kept and it is tried again", "retry"),
    ("RegistryFull", "The registry has no room.", "its disk or its quota is full",
     "make room in the registry; the adapter is kept and it is tried again", "retry"),
    ("BlobRejected", "The registry refused the image's content.", "it is too large for it, damaged, or not accepted",
     "read the registry's error in the message; the adapter is kept", "fail"),
)  # fmt: skip

_ADAPTERS = (
    ("AdapterForbidden", "An adapter's image may not be pulled.", "a pull secret is missing or wrong",
     "correct the imagePullSecret that the message names", "fail"),
    ("AdapterNotFound", "An adapter is not there.", "its image or its volume does not exist",
     "correct the image or the volume that the message names", "fail"),
    ("AdapterInvalid", "An adapter is incomplete or damaged.",
     "a file is missing, damaged or too large, or the image has other content",
     "give adapter_config.json and adapter_model.safetensors, in an image below /data", "fail"),
    ("AdapterNotServable", "vLLM cannot serve the adapter beside this model.",
     "the adapter, or the model's class, is of a kind that vLLM does not serve, or it was trained on another model",
     "read the message; train it anew, or serve it beside the model that it was trained on", "fail"),
    ("AdapterWithoutEffect", "An adapter changes nothing.",
     "it learned nothing, or its tensors have names that the model does not have",
     "look at its training (learning_rate, steps, data), or serve it beside the model that it was trained on", "fail"),
    ("AdapterUnreachable", "An adapter could not be fetched.", "DNS, network or the registry itself",
     "check the registry in the message; it is tried again and goes on where it was", "retry"),
    ("AdapterDiskFull", "The adapters do not fit on the node's disk.", "they are larger than what the weights leave",
     "give fewer or smaller adapters", "fail"),
)  # fmt: skip

Row = tuple[str, str, str, str, str]


def table(*groups: Iterable[Row]) -> dict[str, Reason]:
    """Reasons by name, from rows of (name, meaning, cause, fix, failure class); ValueError when a name comes twice."""
    reasons: dict[str, Reason] = {}
    for name, meaning, cause, fix, failure in chain.from_iterable(groups):
        if name in reasons:
            raise ValueError(f"the reason {name!r} is in the table twice")
        reasons[name] = Reason(name, meaning, cause, fix, FailureClass(failure))
    return reasons


REASONS = table(_KAITO, _SPEC, _MODEL, _NODES, _SERVING, _OPERATION, _MACHINERY, _DATA, _TUNING, _PUBLISHING, _ADAPTERS)


def reason(name: str) -> Reason:
    """The entry of that name; KeyError that says where to add it when there is none."""
    if name not in REASONS:
        raise KeyError(f"{name!r} is not in the table of reasons; add it to api/reasons.py with its cause and fix")
    return REASONS[name]
