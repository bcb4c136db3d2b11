"""Sources of the texts of published recipes, the commands that prepare them, and how training on them differs here."""

from practice_torch.engine.published import Difference

SHAKESPEARE = "tiny Shakespeare, 1.1 MB (https://github.com/karpathy/char-rnn/blob/master/data/tinyshakespeare/input.txt)"

OPENWEBTEXT = "OpenWebText, 8 million documents (https://huggingface.co/datasets/Skylion007/openwebtext, parquet)"
PREPARE_OPENWEBTEXT = "python -m practice_torch prepare text openwebtext_parquet --tokens tiktoken:gpt2 --out openwebtext"

TINYSTORIES = "TinyStories, 2.1 million stories (https://huggingface.co/datasets/roneneldan/TinyStories, parquet)"
PREPARE_TINYSTORIES = (
    "python -m practice_torch prepare text tinystories_parquet --tokens tokenizer.json --out tinystories (of Llama 2)"
)

ORDER = Difference("data", "windows drawn with replacement", "every window once before one comes again", "not known")

OF_SHAKESPEARE = (
    Difference("data", "a vocabulary of the 65 characters that occur", "of all 256 bytes, 191 of which never occur", "not known"),
    ORDER,
    Difference("evaluation", "random batches of the last tenth: 20 on a CPU, 200 on a GPU", "the whole last tenth", "not known"),
)
OF_OPENWEBTEXT = (
    ORDER,
    Difference("evaluation", "200 random batches, and another held-out part", "the whole held-out part", "not known"),
)
OF_TINYSTORIES = (
    Difference("data", "TinyStories_all_data.tar.gz, a superset of the stories", "the parquet files", "not known"),
    Difference("data", "windows that begin at multiples of 256 tokens", "windows that begin anywhere", "not known"),
    Difference(
        "positions",
        "neighboring features are turned in pairs",
        "features half a head apart, as in Llama's published weights",
        "none: the same networks, each as likely",
    ),
    Difference("evaluation", "100 batches of the first of 50 files", "a random hundredth", "not known"),
)
