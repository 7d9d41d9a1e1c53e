/// The texts of reports in English and Korean: all that a page, a plot or a label says and that is no
/// name and no figure. {1}, {2} and so on stand for values.
enum Phrase: CaseIterable {
  // Pages of runs
  case pageTitle, modelOnSuite, and, threads, greedy, sampled, mostTokens, summary, summaryText,
    leftOut, speedupByTask, speedupByLanguage, speedupByText, speedupCell, positions,
    positionsText, draftTokens, acceptedAsMany, costs, costsText, rowsOfPass, timesOneRow, noGain,
    calibration, calibrationText, ownScore, wasNext, perfect, candidates, calibrationError, kinds,
    kindsText, rejections, rejectionsText, stepByStep, stepByStepText, pass, acceptedPiece,
    ownPiece, correctedPiece, proposedBy, corrected, own
  // Columns and values of tables
  case drafter, speedup, interval, deviation, withPrompt, acceptanceLength, accepted,
    tokensPerSecond, charactersPerSecond, draftTime, wastedRows, regret, energy, questions,
    identical, yes, no, notIdentical, isTrue, isFalse, rows, by, kind, tokens, drafted, rate,
    wanted, times, script, place, korean, digits, punctuation, space, partOfCharacter,
    wordInitial, wordInternal, insideCharacter, task, language
  // Categories of questions
  case chat, qa, summaryTask, maths, code, toEnglish, fromEnglish, colloquial, formal,
    koreanTask, mtBench, writing, roleplay, reasoning, math, coding, extraction, science,
    humanities
  // Parts of Korean words; "stem" is a category, too.
  case stem, particle, ending
  // Conditions
  case questionsChecksum, wholeSuite, drafterMemory, freshDrafters, learningDrafters, unknownMemory
  case conditions, run, model, modelChecksum, draftModel, suite, suiteChecksum, drafters,
    prompts, text, answerLength, temperature, seed, stopsAt, stopPolicy, countedTokens,
    threadCount, instructionSet, processor, version, began, command, peakMemory
  // Experiments
  case plain, speculative, normalMethod, speculativeMethod, promptPrefix, tokensPrefix,
    asTheyAre, controlled, none, ownTree, all, draftLengthTitle, languagesTitle,
    answerLengthTitle, promptLengthTitle, draftModelTitle, targetTitle, temperatureTitle,
    treeTitle, secondsPerAnswer, timeText, acceptedShare, acceptedText, speedupText, breakEven,
    breakEvenAt, breakEvenText, costOfDraft, firstAccepted, fertility, fertilityText,
    tokensPerCharacter, tokensPerPass, table, promptAxis, answerAxis, draftAxis, target, category,
    treeAxis
  // Columns of experiments' tables
  case generatedTokens
  case experiment, promptLength, maxTokens, method, time, timeDeviation, acceptanceRate,
    draftModelColumn, draftTreeColumn, group, speedupLow, speedupHigh, acceptanceLengthColumn,
    firstAcceptance, tokensPerSecondColumn, charactersPerSecondColumn, tokensPerCharacterColumn,
    draftShare, draftCost
  // The affine-aligned tree
  case variantSpeedup, pruning, prunedShare, lostShare, roundTime, draftPart, alignPart,
    predictPart, prunePart, verifyPart, commitPart
  // Scaling
  case scaling, modelNotMeasured, assumed, assumedText, measuredIn, accelerator, operations,
    source, scalingBySize, scalingByBatch, parameters, sequences, bestSpeedup, coinciding,
    fitsNowhere, batchText, everyPair, everyPairText, published, publishedText, draftColumn,
    parametersColumn, plainSpeed, bestLength, memory, fits, largestBatch, crossover,
    publishedColumn, roofline, withOverhead, error

  var texts: (en: String, ko: String) {
    switch self {
    case .pageTitle: ("Speculative decoding: {1}", "추측 디코딩: {1}")
    case .modelOnSuite: ("{1} on {2}", "{1} ({2})")
    case .and: (" and ", ", ")
    case .threads: ("{1} threads", "스레드 {1}개")
    case .greedy: ("greedy", "그리디")
    case .sampled: ("temperature {1}, seed {2}", "온도 {1}, 시드 {2}")
    case .mostTokens: ("at most {1} tokens", "최대 {1}토큰")
    case .summary: ("Summary", "요약")
    case .summaryText:
      (
        """
        Plain decoding and every drafter took turns at each question. Speedup is plain time by \
        the drafter's, after the first token, summed over questions; its interval is a 95 % \
        bootstrap over questions. τ is the tokens that a pass of the target brings.
        """,
        """
        일반 디코딩과 초안 작성기들이 질문마다 번갈아 답했습니다. 배속은 첫 토큰 뒤의 시간을 질문 전체에 걸쳐 더하고, 일반 디코딩의 시간을 초안 작성기의 시간으로 \
        나눈 값입니다. 구간은 질문을 다시 뽑아 구한 95 % 부트스트랩 구간입니다. τ는 대상 모델의 순전파 한 번에 나오는 토큰 수입니다.
        """
      )
    case .leftOut:
      (
        "{1} questions were not answered by everybody and are not in here.",
        "모두가 답하지는 못한 질문 {1}개는 넣지 않았습니다."
      )
    case .speedupByTask: ("Speedup by task", "과제별 배속")
    case .speedupByLanguage: ("Speedup by language", "언어별 배속")
    case .speedupByText:
      (
        """
        The line at 1 is plain decoding. In the table also τ and characters a second, which \
        compare across languages where tokens do not.
        """,
        "1에 그은 선이 일반 디코딩입니다. 표에는 τ와 초당 글자 수도 있습니다. 토큰 수는 언어마다 뜻이 다르지만 글자 수는 서로 견줄 수 있습니다."
      )
    case .speedupCell: ("{1} (τ {2}, {3} c/s)", "{1} (τ {2}, {3}자/초)")
    case .positions: ("Acceptance by position", "위치별 수락률")
    case .positionsText:
      (
        "The share of all passes that accepted at least so many tokens.",
        "적어도 그만큼의 토큰을 수락한 순전파의 비율입니다."
      )
    case .draftTokens: ("tokens of a draft", "초안의 토큰 수")
    case .acceptedAsMany: ("share of passes that accepted as many", "그만큼 수락한 순전파의 비율")
    case .costs: ("What verification costs", "검증 비용")
    case .costsText:
      (
        """
        V(k): the time of the target's pass over k rows by that over one, as measured on this \
        machine at the start. k by V(k) is the most that drafting k − 1 tokens could bring, if \
        all were free and accepted.
        """,
        """
        V(k)는 대상 모델이 k행을 한 번에 계산하는 시간을 한 행의 시간으로 나눈 값이며, 실행을 시작할 때 그 기계에서 측정했습니다. k를 V(k)로 나눈 값은 \
        초안 k − 1토큰이 공짜이고 모두 수락될 때의 배속입니다.
        """
      )
    case .rowsOfPass: ("rows of a pass", "순전파의 행 수")
    case .timesOneRow: ("time, as a multiple of one row", "시간(한 행의 배수)")
    case .noGain: ("no gain", "이득 없음")
    case .calibration: ("Calibration", "점수 보정")
    case .calibrationText:
      (
        """
        What drafters say of their candidates for the next token, verified or not, against how \
        often they were right; ten bins. The controller learns the difference while it runs.
        """,
        """
        초안 작성기가 다음 토큰의 후보에 매긴 점수와 실제로 맞은 비율을 견줍니다. 검증하지 않은 후보도 들어 있고, 점수를 열 구간으로 나눴습니다. 제어기는 그 \
        차이를 실행하면서 배웁니다.
        """
      )
    case .ownScore: ("the drafter's own score", "초안 작성기가 매긴 점수")
    case .wasNext: ("share that was the next token", "실제로 다음 토큰이었던 비율")
    case .perfect: ("perfect", "점수와 비율이 같을 때")
    case .candidates: ("candidates", "후보 수")
    case .calibrationError: ("expected calibration error", "기대 보정 오차")
    case .kinds: ("Where drafts are right", "초안이 맞는 곳")
    case .kindsText:
      (
        """
        By the token that the target wrote: its script, whether it begins a word, and in Korean \
        words whether it is of the stem, a particle or an ending (told by the written form, so \
        that adnominal endings count as particles). Drafted are those at whose place something \
        was verified after accepted tokens.
        """,
        """
        대상 모델이 쓴 토큰을 문자의 종류, 낱말의 처음인지 안쪽인지, 한국어 낱말에서는 어간·조사·어미 가운데 무엇인지로 나눕니다. 글자의 형태로만 가리므로 \
        관형사형 어미는 조사로 셉니다. ‘초안’은 앞의 토큰이 수락되어 그 자리까지 검증한 토큰의 수입니다.
        """
      )
    case .rejections: ("What was rejected most", "가장 많이 거절된 토큰")
    case .rejectionsText: ("And what the target wrote instead.", "대상 모델이 그 자리에 쓴 토큰과 함께 보입니다.")
    case .stepByStep: ("Step by step", "단계별로 보기")
    case .stepByStepText:
      (
        """
        The first turn of the first question of each kind, coloured by who proposed each token. \
        Point at one to see its pass.
        """,
        "종류마다 첫 질문의 첫 답을, 토큰을 제안한 쪽의 색으로 보입니다. 토큰을 가리키면 그 순전파를 볼 수 있습니다."
      )
    case .pass: ("pass {1}, {2} rows", "{1}번째 순전파, {2}행")
    case .acceptedPiece: ("{1}, accepted; {2}", "{1}, 수락; {2}")
    case .ownPiece: ("the target's own; {1}", "대상 모델이 직접 씀; {1}")
    case .correctedPiece: ("corrected: {1} proposed “{2}”; {3}", "고침: {1}의 제안은 “{2}”; {3}")
    case .proposedBy: ("proposed by {1}", "{1}의 제안")
    case .corrected: ("a proposal corrected by the target", "대상 모델이 고친 제안")
    case .own: ("the target's own", "대상 모델이 직접 쓴 토큰")
    case .drafter: ("drafter", "초안 작성기")
    case .speedup: ("speedup", "배속")
    case .interval: ("95 %", "95 % 구간")
    case .deviation: ("deviation", "편차")
    case .withPrompt: ("with prompt", "프롬프트 포함")
    case .acceptanceLength: ("τ", "τ")
    case .accepted: ("accepted", "수락")
    case .tokensPerSecond: ("tokens/s", "토큰/초")
    case .charactersPerSecond: ("characters/s", "글자/초")
    case .draftTime: ("draft time", "초안 시간")
    case .wastedRows: ("wasted rows", "버린 행")
    case .regret: ("regret", "최적 대비 손실")
    case .energy: ("energy", "에너지")
    case .questions: ("questions", "질문 수")
    case .identical: ("identical", "일치")
    case .yes: ("yes", "예")
    case .no: ("no", "아니요")
    case .notIdentical: ("NO: {1}", "아니요: {1}")
    case .isTrue: ("true", "예")
    case .isFalse: ("false", "아니요")
    case .rows: ("rows", "행")
    case .by: ("by", "기준")
    case .kind: ("kind", "종류")
    case .tokens: ("tokens", "토큰")
    case .drafted: ("drafted", "초안")
    case .rate: ("rate", "비율")
    case .wanted: ("wanted", "대상 모델의 토큰")
    case .times: ("times", "횟수")
    case .script: ("script", "문자")
    case .place: ("place", "자리")
    case .korean: ("Korean", "한국어")
    case .digits: ("digits", "숫자")
    case .punctuation: ("punctuation", "문장 부호")
    case .space: ("space", "공백")
    case .partOfCharacter: ("part of a character", "글자의 일부")
    case .wordInitial: ("word-initial", "낱말 처음")
    case .wordInternal: ("word-internal", "낱말 안쪽")
    case .insideCharacter: ("inside a character", "글자 안쪽")
    case .task: ("task", "과제")
    case .language: ("language", "언어")
    case .chat: ("chat", "대화")
    case .qa: ("qa", "질문과 답")
    case .summaryTask: ("summary", "요약")
    case .maths: ("maths", "수학")
    case .code: ("code", "코드")
    case .toEnglish: ("translation-to-english", "영어로 번역")
    case .fromEnglish: ("translation-from-english", "영어에서 번역")
    case .colloquial: ("colloquial", "구어체")
    case .formal: ("formal", "격식체")
    case .koreanTask: ("korean", "한국어")
    case .mtBench: ("mt-bench", "MT-bench")
    case .writing: ("writing", "글쓰기")
    case .roleplay: ("roleplay", "역할극")
    case .reasoning: ("reasoning", "추론")
    case .math: ("math", "수학")
    case .coding: ("coding", "코딩")
    case .extraction: ("extraction", "정보 추출")
    case .science: ("stem", "이공계")
    case .humanities: ("humanities", "인문학")
    case .stem: ("stem", "어간")
    case .particle: ("particle", "조사")
    case .ending: ("ending", "어미")
    case .questionsChecksum: ("questions' SHA-256", "질문의 SHA-256")
    case .wholeSuite: ("all of the suite", "질문 모음 전체")
    case .drafterMemory: ("drafters' memory", "초안 작성기의 기억")
    case .freshDrafters:
      (
        "drafters begin anew at each question; questions in the suite's order",
        "초안 작성기는 질문마다 새로 시작합니다. 질문은 질문 모음의 순서대로입니다"
      )
    case .learningDrafters:
      (
        """
        drafters begin anew in each repetition and learn from question to question, in the suite's \
        order
        """,
        """
        초안 작성기는 반복마다 새로 시작해서, 질문 모음의 순서대로 앞의 질문에서 배운 것을 뒤의 질문에 씁니다
        """
      )
    case .unknownMemory:
      (
        "not recorded: in a later repetition drafters may have known the answers",
        "기록되지 않음. 뒤의 반복에서는 초안 작성기가 답을 이미 알았을 수 있습니다"
      )
    case .conditions: ("Conditions", "조건")
    case .run: ("Run", "실행")
    case .model: ("model", "모델")
    case .modelChecksum: ("model's SHA-256", "모델의 SHA-256")
    case .draftModel: ("draft model", "초안 모델")
    case .suite: ("suite", "질문 모음")
    case .suiteChecksum: ("suite's SHA-256", "질문 모음의 SHA-256")
    case .drafters: ("drafters", "초안 작성기들")
    case .prompts: ("prompts", "프롬프트 형식")
    case .text: ("text", "글")
    case .answerLength: ("most tokens", "최대 토큰 수")
    case .temperature: ("temperature", "온도")
    case .seed: ("seed", "시드")
    case .stopsAt: ("stops at", "멈추는 곳")
    case .stopPolicy: ("the model's end-of-text tokens, or max tokens", "모델의 끝 토큰이나 최대 토큰 수")
    case .countedTokens:
      (
        "all that the target wrote, stop token included, nothing after it",
        "대상 모델이 쓴 토큰 전부. 끝 토큰은 넣고 그 뒤는 넣지 않습니다"
      )
    case .threadCount: ("threads", "스레드 수")
    case .instructionSet: ("instruction set", "명령어 집합")
    case .processor: ("processor", "프로세서")
    case .version: ("Nunchi", "Nunchi 판")
    case .began: ("began", "시작")
    case .command: ("command", "명령")
    case .peakMemory: ("peak memory", "최대 메모리")
    case .plain: ("plain", "일반 디코딩")
    case .speculative: ("speculative", "추측 디코딩")
    case .normalMethod: ("Normal", "일반 디코딩")
    case .speculativeMethod: ("Speculative", "추측 디코딩")
    case .promptPrefix: ("prompt ", "프롬프트 ")
    case .tokensPrefix: ("tokens ", "토큰 ")
    case .asTheyAre: ("as they are", "질문 그대로")
    case .controlled: ("controlled", "제어기가 정함")
    case .none: ("none", "없음")
    case .ownTree: ("own", "초안 작성기의 것")
    case .all: ("all", "전체")
    case .draftLengthTitle: ("Draft length", "초안 길이")
    case .languagesTitle: ("Languages", "언어")
    case .answerLengthTitle: ("Answer length", "답의 길이")
    case .promptLengthTitle: ("Prompt length", "프롬프트 길이")
    case .draftModelTitle: ("Size of the draft model", "초안 모델의 크기")
    case .targetTitle: ("Size of the target", "대상 모델의 크기")
    case .temperatureTitle: ("Temperature", "온도")
    case .treeTitle: ("Shape of the draft", "초안의 모양")
    case .secondsPerAnswer: ("seconds an answer", "답 하나의 시간(초)")
    case .timeText:
      (
        "Seconds of an answer with its prompt, mean and standard deviation over repetitions.",
        "프롬프트를 포함해 답 하나에 걸린 시간(초)입니다. 반복의 평균과 표준 편차를 보입니다."
      )
    case .acceptedShare: ("accepted share of drafted tokens", "초안 토큰의 수락률")
    case .acceptedText: ("Accepted tokens by drafted ones.", "수락된 토큰 수를 초안 토큰 수로 나눈 값입니다.")
    case .speedupText:
      (
        """
        Plain generation time by the drafter's, without the prompt, with its 95 % interval over \
        questions. The line at 1 is plain decoding.
        """,
        "프롬프트를 뺀 생성 시간으로, 일반 디코딩의 시간을 초안 작성기의 시간으로 나눈 값과 질문에 대한 95 % 구간입니다. 1에 그은 선이 일반 디코딩입니다."
      )
    case .breakEven: ("break-even", "손익 분기")
    case .breakEvenAt: ("break-even, V(2) = {1}", "손익 분기, V(2) = {1}")
    case .breakEvenText:
      (
        """
        Above the line one drafted token pays: P₁ > c + V(2) − 1, with c the time of a drafted \
        token by that of one of plain decoding, and V(2) what verification of two rows costs, as \
        measured here.
        """,
        """
        선 위에서는 초안 한 토큰이 이득입니다: P₁ > c + V(2) − 1. c는 초안 한 토큰의 시간을 일반 디코딩 한 토큰의 시간으로 나눈 값이고, \
        V(2)는 이 기계에서 측정한 두 행의 검증 비용입니다.
        """
      )
    case .costOfDraft:
      (
        "c: time of a drafted token by that of a plain one",
        "c: 초안 한 토큰의 시간 ÷ 일반 디코딩 한 토큰의 시간"
      )
    case .firstAccepted:
      (
        "P₁: share of passes that accepted it",
        "P₁: 그 토큰을 수락한 순전파의 비율"
      )
    case .fertility: ("fertility and acceptance", "글자당 토큰 수와 수락")
    case .fertilityText:
      (
        """
        Tokens a character, which say how dear a language is to the tokenizer, against tokens a \
        pass of the target.
        """,
        "글자당 토큰 수는 그 언어를 토크나이저가 얼마나 잘게 나누는지 말해 줍니다. 이를 대상 모델의 순전파당 토큰 수와 견줍니다."
      )
    case .tokensPerCharacter: ("tokens a character", "글자당 토큰 수")
    case .tokensPerPass: ("tokens a pass of the target", "대상 모델의 순전파당 토큰 수")
    case .table: ("Table", "표")
    case .promptAxis: ("prompt, tokens", "프롬프트(토큰)")
    case .answerAxis: ("answer at most, tokens", "답의 최대 길이(토큰)")
    case .draftAxis: ("drafted tokens a step, n", "단계마다 초안 토큰 수 n")
    case .target: ("target", "대상 모델")
    case .category: ("category", "분류")
    case .treeAxis: ("draft tree", "초안 트리")
    case .generatedTokens: ("generated_tokens", "생성 토큰 수")
    case .experiment: ("experiment", "실험")
    case .promptLength: ("prompt_length", "프롬프트 길이")
    case .maxTokens: ("max_tokens", "최대 토큰 수")
    case .method: ("method", "방식")
    case .time: ("time", "시간(초)")
    case .timeDeviation: ("time_std", "시간의 표준 편차")
    case .acceptanceRate: ("acceptance_rate", "수락률")
    case .draftModelColumn: ("draft_model", "초안 모델")
    case .draftTreeColumn: ("draft_tree", "초안 트리")
    case .group: ("group", "묶음")
    case .speedupLow: ("speedup_low", "배속 하한")
    case .speedupHigh: ("speedup_high", "배속 상한")
    case .acceptanceLengthColumn: ("acceptance_length", "수락 길이 τ")
    case .firstAcceptance: ("first_acceptance", "첫 토큰 수락률")
    case .tokensPerSecondColumn: ("tokens_per_second", "토큰/초")
    case .charactersPerSecondColumn: ("characters_per_second", "글자/초")
    case .tokensPerCharacterColumn: ("tokens_per_character", "글자당 토큰 수")
    case .draftShare: ("draft_share", "초안 시간의 비율")
    case .draftCost: ("draft_cost", "초안 비용 c")
    case .variantSpeedup: ("Speedup of each variant, 95 % interval", "변형별 배속과 95 % 구간")
    case .pruning: ("What pruning leaves out, and what it loses", "가지치기로 줄인 것과 잃은 것")
    case .prunedShare: ("pruned share of the nodes", "잘라 낸 노드의 비율")
    case .lostShare: ("lost share of the accepted tokens", "잃은 수락 토큰의 비율")
    case .roundTime: ("Milliseconds of a round", "한 단계의 시간(ms)")
    case .draftPart: ("draft_ms", "초안")
    case .alignPart: ("align_ms", "정렬")
    case .predictPart: ("predict_ms", "예측")
    case .prunePart: ("prune_ms", "가지치기")
    case .verifyPart: ("verify_ms", "검증")
    case .commitPart: ("commit_ms", "반영")
    case .scaling: ("Scaling", "규모 연구")
    case .modelNotMeasured: ("A model, not a measurement", "측정이 아닌 모형")
    case .assumed: ("What is assumed", "가정")
    case .assumedText:
      (
        """
        Acceptance {1}, each token as likely as the one before it; {2} tokens in the cache; {3} \
        bytes a weight; kernels reach {4} % of the bandwidth and {5} % of the arithmetic.
        """,
        """
        수락률은 {1}이며 토큰마다 같습니다. 캐시에 {2}토큰이 있고, 가중치 하나는 {3}바이트이며, 커널은 대역폭의 {4} %와 연산 성능의 {5} %를 \
        냅니다.
        """
      )
    case .measuredIn: ("measured in {1}", "{1}에서 측정")
    case .accelerator: ("accelerator", "가속기")
    case .operations: ("tera-operations/s", "테라 연산/초")
    case .source: ("source", "출처")
    case .scalingBySize: ("Speedup by the target's size", "대상 모델의 크기와 배속")
    case .scalingByBatch: ("Speedup by batch: {1}, drafted by {2}", "배치 크기와 배속: {1}, 초안 모델 {2}")
    case .parameters: ("billions of parameters of the target", "대상 모델의 파라미터(10억 개)")
    case .sequences: ("sequences at once", "동시에 처리하는 시퀀스 수")
    case .bestSpeedup: ("speedup with the best draft length", "가장 좋은 초안 길이의 배속")
    case .coinciding:
      (
        """
        One sequence. Accelerators whose figures are equal within 1 % share a line, and a line \
        goes as far as memory holds the weights and the cache.
        """,
        "시퀀스는 하나입니다. 값의 차이가 1 % 안인 가속기는 한 선으로 그리고, 가중치와 캐시가 메모리에 들어가는 데까지만 그립니다."
      )
    case .fitsNowhere: ("On none of them fits: {1}.", "어느 가속기에도 들어가지 않는 모델: {1}.")
    case .batchText:
      (
        "As far as memory holds the weights of both models and the caches of all sequences.",
        "두 모델의 가중치와 모든 시퀀스의 캐시가 메모리에 들어가는 데까지 그립니다."
      )
    case .everyPair: ("Every pair", "모든 모델 쌍")
    case .everyPairText:
      (
        """
        Memory is GB of the weights of both models and the caches of one sequence. The crossover \
        is the smallest batch, a power of two, at which drafting brings less than 2 %; none \
        where it pays with all that memory holds.
        """,
        """
        메모리는 두 모델의 가중치와 한 시퀀스의 캐시를 더한 GB입니다. 교차점은 초안의 이득이 2 %에 못 미치는 가장 작은 배치 크기(2의 거듭제곱)이고, \
        메모리에 들어가는 배치에서 모두 이득이면 ‘없음’입니다.
        """
      )
    case .published: ("Against published figures", "발표된 값과의 비교")
    case .publishedText:
      (
        "With the published τ, the time of a step by the roofline alone and with {1} µs a layer.",
        "발표된 τ를 쓰고, 한 단계의 시간을 루프라인만으로, 그리고 층마다 {1} µs를 더해 계산합니다."
      )
    case .draftColumn: ("draft", "초안 모델")
    case .parametersColumn: ("parameters", "파라미터(10억 개)")
    case .plainSpeed: ("plain_tokens_per_second", "일반 디코딩 토큰/초")
    case .bestLength: ("best_draft_length", "가장 좋은 초안 길이")
    case .memory: ("memory", "메모리(GB)")
    case .fits: ("fits", "들어감")
    case .largestBatch: ("largest_batch", "최대 배치")
    case .crossover: ("batch_crossover", "배치 교차점")
    case .publishedColumn: ("published", "발표된 값")
    case .roofline: ("roofline", "루프라인")
    case .withOverhead: ("with_overhead", "층 시간 포함")
    case .error: ("error", "오차")
    }
  }
}
