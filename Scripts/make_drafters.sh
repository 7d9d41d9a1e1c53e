#!/usr/bin/env bash
# Makes the shipped drafters again: the target writes prompts, answers them, and a drafter learns
# from its answers and states.
#   Scripts/make_drafters.sh [MODEL…]
# MODEL is SmolLM2-135M, Qwen2.5-Coder-1.5B or Gemma-3-270M; all if none is named. On two cores SmolLM2's
# takes about an hour, Gemma's, which are n-gram models of languages, some minutes. Qwen2.5-Coder's was made
# on a GPU, in seven minutes, and is where python3 has torch, transformers and gguf and sees one; without one, three
# hours of two cores make one that has seen a seventh of each language's answers. What is done lies in the folder
# ${NUNCHI_CACHE:-~/.cache/nunchi}/make-drafters; after an interruption the same command goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
PATH="$root/.build/release:$PATH"
work=${NUNCHI_CACHE:-$HOME/.cache/nunchi}/make-drafters
settings=$root/Scripts/drafters

# prompts MODEL COUNT OPTIONS…: prompts that the model writes itself.
prompts() {
  local model=$1 count=$2
  shift 2
  nunchi data prompts "$model" --count "$count" --temperature 0.8 --max-tokens 128 --batch 32 "$@"
}

# answers MODEL OPTIONS…: its answers, with its states.
answers() {
  local model=$1
  shift
  nunchi data self-distil "$model" --output answers.jsonl --batch 32 --states states "$@"
}

# more_languages MODEL: answers to questions in six more languages, and translations into them;
# their states join those of `answers` in the folder languages.
more_languages() {
  local language file count=0
  nunchi data corpus text/help/* --output languages-corpus
  nunchi data text-prompts languages-corpus --output questions
  python3 "$root/Benchmarks/language_prompts.py" questions/train.jsonl --out chat --count 110
  python3 "$root/Benchmarks/translation_prompts.py" languages-corpus/train.jsonl \
    --out translations --count 20 --directions en-ko en-ja en-zh en-de en-fr en-ru
  for language in ko ja zh de fr ru; do
    cat "chat/$language.jsonl" "translations/en-$language.jsonl" >"prompts-$language.jsonl"
    nunchi data self-distil "$1" --prompts "prompts-$language.jsonl" --temperatures 0,0.7 \
      --draw-temperature --max-tokens 96 --output "answers-$language.jsonl" --states "states-$language"
  done
  mkdir -p languages
  for file in states/*.safetensors states-??/*.safetensors; do
    ln -sf "../$file" "languages/states-$(printf %05d "$count").safetensors"
    count=$((count + 1))
  done
}

# eagle MODEL DATA CONFIG NAME OPTIONS…: trains an EAGLE drafter.
eagle() {
  cp "$settings/$3.yaml" "$4.yaml"
  nunchi train eagle --target "$1" --data "$2" --config "$4.yaml" --out "$4" "${@:5}"
}

# Whether drafters can be trained on a GPU here.
has_gpu() {
  python3 -c 'import gguf, torch, transformers; assert torch.cuda.is_available()' 2>/dev/null
}

# ship_of_gpu MODEL FILE: trains drafters of seven languages on a GPU, and ships the one of all.
ship_of_gpu() {
  local goal=$root/Sources/NunchiDrafters/TrainedDrafters/$1/eagle
  "$root/Scripts/fetch_text.sh" text
  nunchi data corpus text/help/* --output languages-corpus
  nunchi data text-prompts languages-corpus --per-language 1700 --output questions
  python3 "$root/Scripts/gpu/prepare_data.py" "$1" --corpus languages-corpus --questions questions --out data.npz
  python3 "$root/Scripts/gpu/train_eagle.py" "$2" --data data.npz --out gpu \
    --commit "$(git -C "$root" rev-parse HEAD)"
  mkdir -p "$goal"
  cp gpu/mixed/{README.md,config.json,model.safetensors,nunchi.json,frequent_tokens.json} "$goal"
  echo "make_drafters: $goal"
}

# ship MODEL DATA CONFIG OPTIONS…: trains, and puts the drafter among those that come with Nunchi.
ship() {
  local goal=$root/Sources/NunchiDrafters/TrainedDrafters/$1/eagle
  eagle "$1" "$2" "$3" eagle "${@:4}"
  mkdir -p "$goal"
  cp eagle/{README.md,config.json,model.safetensors,nunchi.json,frequent_tokens.json} "$goal"
  echo "make_drafters: $goal"
}

# ship_tree MODEL: trains the small draft model of an affine-aligned tree, with its alignment and
# predictor.
ship_tree() {
  local goal=$root/Sources/NunchiDrafters/TrainedDrafters/$1/tiny-lm
  cp "$settings/$1-tiny.yaml" tiny.yaml
  nunchi train tiny-lm --target "$1" --data states --config tiny.yaml --out tiny
  nunchi train alignment --target "$1" --draft-model tiny --data states --out alignment
  nunchi train acceptance-predictor --target "$1" --draft-model tiny --data states \
    --alignment alignment/alignment.safetensors --out predictor
  mkdir -p "$goal"
  cp tiny/{README.md,config.json,model.safetensors,nunchi.json,frequent_tokens.json} "$goal"
  for part in alignment predictor; do
    cp $part/$part.safetensors "$goal"
    cp $part/provenance.json "$goal/$part.provenance.json"
  done
  cp "$settings/$1-affine-tree.yaml" "$goal/affine-tree.yaml"
  echo "make_drafters: $goal"
}

# ngrams MODEL NAME OPTIONS…: counts texts.
ngrams() {
  local model=$1 name=$2
  shift 2
  nunchi train ngram-lm --target "$model" --data texts.jsonl --out "$name" \
    --licence "LibreOffice's help pages by its contributors, MPL-2.0" "$@"
}

# ship_ngrams MODEL NAME
ship_ngrams() {
  local goal=$root/Sources/NunchiDrafters/TrainedDrafters/$1/$2
  mkdir -p "$goal"
  cp "$2"/{README.md,config.json,model.safetensors,nunchi.json} "$goal"
  echo "make_drafters: $goal"
}

if [[ $# -eq 0 ]]; then set -- SmolLM2-135M Qwen2.5-Coder-1.5B Gemma-3-270M; fi
for model in "$@"; do
  nunchi models fetch "$model"
  mkdir -p "$work/$model"
  (
    cd "$work/$model"
    if [[ $model == Qwen2.5-Coder-1.5B ]] && has_gpu; then
      ship_of_gpu "$model" "$(nunchi models fetch "$model" | tail -n 1)"
      exit
    fi
    if [[ $model == Gemma-3-270M ]]; then
      "$root/Scripts/fetch_text.sh" text
      nunchi data corpus text/help/* --output corpus
      # Without a folder: the command becomes part of the drafter.
      ln -sf corpus/train.jsonl texts.jsonl
      ngrams "$model" ngram-lm --minimum-count 3 \
        --language de --language en --language fr --language ja --language ko --language ru --language zh
      ngrams "$model" ngram-lm-ko --language ko
      # Both before either is put there: the checkout they are made from has no change in it.
      ship_ngrams "$model" ngram-lm
      ship_ngrams "$model" ngram-lm-ko
      exit
    fi
    case $model in
    SmolLM2-135M)
      prompts "$model" 720 --output prompts.jsonl
      answers "$model" --prompts prompts.jsonl --temperatures 0,0.7 --max-tokens 256
      ;;
    Qwen2.5-Coder-1.5B)
      prompts "$model" 240 --output prompts.jsonl
      # A small model writes more of them in a tenth of the time.
      nunchi models fetch SmolLM2-135M
      prompts SmolLM2-135M 240 --seed 1 --output small-prompts.jsonl
      "$root/Scripts/fetch_text.sh" text
      nunchi data corpus text/help/en-US text/help/de text/code --output corpus
      nunchi data text-prompts corpus --per-language 125 --output text-prompts
      answers "$model" --prompts prompts.jsonl small-prompts.jsonl text-prompts/train.jsonl \
        --temperatures 0,0.7 --draw-temperature --max-tokens 224
      ;;
    *)
      echo "make_drafters: expected SmolLM2-135M, Qwen2.5-Coder-1.5B or Gemma-3-270M, found $model" >&2
      exit 1
      ;;
    esac
    if [[ $model == SmolLM2-135M ]]; then
      ship "$model" states "$model"
      ship_tree "$model"
    else
      # First English, German and code, then all languages: drafts of one token, then of two.
      eagle "$model" states "$model" start
      more_languages "$model"
      eagle "$model" languages "$model-languages-first" first --start start
      ship "$model" languages "$model-languages" --start first
    fi
  )
done
