"""Sources of the data of published recipes, and the commands that prepare them."""

CELEBA = "CelebA, aligned: 202,599 faces of 178 x 218 (Liu et al. 2015, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)"
PREPARE_WHOLE_CELEBA = "python -m practice_torch prepare images img_align_celeba --out celeba"  # squares of 178 in training
PREPARE_CELEBA = f"{PREPARE_WHOLE_CELEBA} --crop 128@89,121"  # datasets/__init__.py of github.com/ermongroup/ddim
PREPARE_CELEBA_140 = f"{PREPARE_WHOLE_CELEBA} --crop 140"  # closecrop of datahandler.py, github.com/tolstikhin/wae
PREPARE_CELEBA_108 = f"{PREPARE_WHOLE_CELEBA} --crop 108"  # main.py of github.com/carpedm20/DCGAN-tensorflow

SPEECH_COMMANDS = (
    "the ten digits of Speech Commands 0.02 (Warden 2018, http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz), "
    "their folders in one; held out are recordings, not speakers as in the published lists"
)
PREPARE_SPEECH_COMMANDS = "python -m practice_torch prepare audio digits --sample-rate 16000 --out speech_commands"
DIGITS = ("eight", "five", "four", "nine", "one", "seven", "six", "three", "two", "zero")

LJ_SPEECH = "LJ Speech 1.1, 24 hours of one reader (https://keithito.com/LJ-Speech-Dataset)"
PREPARE_LJ_SPEECH = "python -m practice_torch prepare audio LJSpeech-1.1/wavs --sample-rate 22050 --out ljspeech"
