"""What is needed of Flower and Ray beyond what they document is there, and does what it is needed for."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest
import ray._private.ray_constants
import ray.exceptions
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict

from common.arrays import LiveArray, pack, unpack
from common.compat import flower, flower_apps, flower_processes
from common.compat import ray as ray_compat
from common.compat.torch import UncountedBatchNorm
from common.messages import Content


def test_a_record_that_was_filled_is_flowers() -> None:
    record = MetricRecord()
    flower.fill(record, {"loss": 0.5})
    assert record == MetricRecord({"loss": 0.5})
    assert list(record.items()) == [("loss", 0.5)]


def test_what_is_written_as_flowers_own_is_read_as_flowers_own() -> None:
    sent = Content({"arrays": pack({"w": np.arange(6.0).reshape(2, 3)}), "config": ConfigRecord({"a": 1})})
    text = recorddict_to_proto(sent).SerializeToString()
    read = recorddict_from_proto(ProtoRecordDict.FromString(text))
    assert type(read) is RecordDict
    assert type(read.array_records["arrays"]["w"]) is Array
    assert np.array_equal(unpack(read.array_records["arrays"])["w"], np.arange(6.0).reshape(2, 3))
    assert read.config_records["config"]["a"] == 1
    assert isinstance(LiveArray(np.zeros(1)), Array)


def test_pickles_of_ours_are_ours() -> None:
    copy = pickle.loads(pickle.dumps(Content({"arrays": pack({"w": np.ones(3)})})))
    assert isinstance(copy, Content)
    assert isinstance(copy["arrays"], ArrayRecord)


def test_a_message_has_the_id_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(flower.TaskIdentity, name, None)
    flower.TaskIdentity.run_id, flower.TaskIdentity.node_id, flower.TaskIdentity.task_id = 3, 1, 1
    message = Message(RecordDict(), 7, "train")
    flower.set_message_id(message, "abc")
    assert message.metadata.message_id == "abc"
    reply = Message(Error(flower.ErrorCode.REPLY_MESSAGE_UNAVAILABLE, "no"), reply_to=message)
    assert reply.metadata.reply_to_message_id == "abc"


def test_an_app_is_read_as_flower_reads_it(tmp_path: Path) -> None:
    app = Path("tests/flower_app")
    config = flower_apps.flatten_dict(flower_apps.get_project_config(app)["tool"]["flwr"]["app"]["config"])
    key = next(iter(config))
    assert flower_apps.fuse_dicts(config, flower_apps.parse_config_args([f"{key}={config[key]}"])) == config


def test_a_superexec_takes_an_executor_of_ours() -> None:
    module = flower_processes._superexec
    assert callable(module.get_executor)
    assert {"insecure", "parent_pid"} <= set(inspect.signature(module.run_superexec).parameters)
    starting = {"runtime_api_address", "token", "insecure", "parent_pid", "runtime_dependency_install"}
    assert starting <= set(inspect.signature(flower_processes.run_clientapp).parameters)
    assert starting | {"task_type"} <= set(inspect.signature(flower_processes.ExecutionSpec).parameters)
    assert flower_processes.run_clientapp.__module__ == flower_processes.CLIENT_APP_MODULE
    assert flower_processes.TaskType.CLIENT_APP
    assert (
        flower_processes.POLL_INTERVAL
        in "".join(path.read_text() for path in Path(inspect.getfile(module)).parent.rglob("*.py"))
        + Path(inspect.getfile(flower_processes.TaskType)).read_text()
    )


def test_ray_can_be_kept_on_loopback() -> None:
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    with ray_compat.on_loopback():
        assert constants.ENABLE_RAY_CLUSTER is False
    assert before == constants.ENABLE_RAY_CLUSTER
    (name,) = ray_compat.LOOPBACK
    assert name in inspect.getsource(constants)


def test_a_ray_that_cannot_be_kept_on_loopback_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ray._private.ray_constants, "ENABLE_RAY_CLUSTER")
    with pytest.raises(Exception, match="cannot be kept on loopback"), ray_compat.on_loopback():
        pass


def test_workers_look_for_modules_where_they_are_told() -> None:
    config = ray_compat.job_config(["/somewhere"])
    assert config._client_job
    assert config._py_driver_sys_path == ["/somewhere"]


def test_an_actor_whose_constructor_raised_is_told_from_one_that_died() -> None:
    assert " raised in its creation task, " in inspect.getsource(ray.exceptions)
    assert ray_compat.failed_to_start(RuntimeError("The actor died because of an error raised in its creation task, …"))
    assert not ray_compat.failed_to_start(RuntimeError("The actor is dead because its worker process has died."))


def test_batch_normalization_without_a_counter_is_pytorchs() -> None:
    ours, theirs = UncountedBatchNorm(3, momentum=0.3), torch.nn.BatchNorm1d(3, momentum=0.3)
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours(x), theirs(x))
    counted = theirs.state_dict()
    del counted["num_batches_tracked"]
    assert ours.state_dict().keys() == counted.keys()
    assert all(torch.equal(tensor, counted[name]) for name, tensor in ours.state_dict().items())
    ours.load_state_dict(counted)
    assert ours.state_dict().keys() == counted.keys()
