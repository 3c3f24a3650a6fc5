"""The model, the data and the training of the app."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """A small network."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)))


def load_data(partition_id, num_partitions):
    """A partition's rows: every one different in size and content."""
    draws = torch.Generator().manual_seed(1000 + partition_id)
    x = torch.randn(40 + 10 * (partition_id % num_partitions), 8, generator=draws)
    data = TensorDataset(x, x[:, :3].argmax(dim=1))
    return DataLoader(data, batch_size=8), DataLoader(data, batch_size=64)


def train(net, trainloader, epochs, lr):
    """Train; returns the mean loss."""
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    total = 0.0
    for _ in range(epochs):
        for x, y in trainloader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return total / (epochs * len(trainloader))


def test(net, testloader):
    """The loss and the accuracy."""
    loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in testloader:
            z = net(x)
            loss += nn.functional.cross_entropy(z, y, reduction="sum").item()
            right += (z.argmax(dim=1) == y).sum().item()
    return loss / len(testloader.dataset), right / len(testloader.dataset)
