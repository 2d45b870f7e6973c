"Gradients of single batches by the processes that were launched, against those of one: accelerate launch ... tests/together.py FOLDER"
import json, sys
from pathlib import Path

import torch
from vfr_lib.encoders.dual import reconfigured, toy_encoder
from vfr_lib.train.loop import BothHalves, ProcessGroup, TrainConfig, batch_gradients, launched_group, parameter_groups

words = ("a", "wall", "red", "green", "blue", "yellow")


def smooth(model):
    "The model with GELUs for ReLUs: at the kink of a ReLU, rounding may decide whether a gradient passes."
    for m in model.modules():
        if hasattr(m, "relu"): m.relu = torch.nn.GELU()
    return model


def batch(n):
    "Noise and two captions for each picture of it."
    pixels = torch.randint(256, (n, 3, 48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return pixels, [[f"a {words[2 + i % 4]} wall", " ".join(words[:1 + i])] for i in range(n)]


def gradients(model, both, config, n, group, step=3):
    "Loss and gradients of a batch of `n`, on the processor."
    pixels, texts = (group.shards(x)[group.rank] for x in batch(n))
    model.zero_grad()
    loss = batch_gradients(both, pixels, texts, config, step, group, [len(s) for s in group.shards(range(n))])
    return dict(loss=loss) | {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def apart(a, b):
    "The largest error of a gradient: against its own size, or a thousandth of all of them where it is smaller (some are 0 by nature)."
    assert a.keys() == b.keys()
    whole = torch.cat([g.flatten() for g in b.values()]).norm()
    return max(((a[k] - b[k]).norm() / max(b[k].norm(), whole / 1000)).item() for k in b)


def main(folder):
    group, errors = launched_group(), {}
    torch.manual_seed(0)
    model = smooth(reconfigured(toy_encoder(words)))   # no dropout: it stays in `eval`
    for temperature, stages in ((None, 1), (0.2, 5)):   # most of the image half stands still in one of them
        start = dict(temperature=temperature, image_stages=stages, bf16=False)
        learning = {id(p) for g in parameter_groups(model, TrainConfig(**start)) for p in g["params"]}
        for p in model.parameters(): p.requires_grad_(id(p) in learning)
        both, kinds = BothHalves(model, TrainConfig(**start)), [(loss, n) for loss in ("infonce", "soft") for n in (4, 5)]
        alone = {(loss, n): gradients(model, both, TrainConfig(**start, loss=loss), n, ProcessGroup()) for loss, n in kinds}
        both = group.accelerator.prepare_model(both)
        for loss, n in kinds:
            for micro_batch in (0, n - 3):   # at once; one by one, or two at a time where one process has two pictures and the other three
                found = gradients(model, both, TrainConfig(**start, loss=loss, micro_batch=micro_batch), n, group)
                errors[f"{loss} {temperature} {n} {micro_batch > 0}"] = dict(
                    gradients=apart(found, alone[loss, n]), names=sorted(found), loss=abs(found["loss"] / alone[loss, n]["loss"] - 1).item())
        del both; group.accelerator.free_memory()
    (Path(folder) / f"{group.rank}.json").write_text(json.dumps(errors))


if __name__ == "__main__": main(sys.argv[1])
