"""What each client of PyPI makes of a service, whose address is the first argument: by name its version
and its numbers, or why there are none, as JSON on standard output. Standard input has a list of texts,
of which the numbers are vectors; or, with a second argument, rerank, a query and then its documents, of
which they are a score each."""

import importlib.metadata
import json
import os
import sys
import traceback

# Nobody is asked but the service.
QUIET = {
    "ANONYMIZED_TELEMETRY": "False", "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}  # fmt: skip
URL = ""
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
KEY = "none-is-needed"


def openai_with_members_of_others(texts):
    import openai

    members = {"truncate_prompt_tokens": 256, "input_type": "passage", "drop_params": True, "late_chunking": False}
    client = openai.OpenAI(base_url=f"{URL}/openai/v1", api_key=KEY)
    return [each.embedding for each in client.embeddings.create(model=MODEL, input=texts, extra_body=members).data]


def litellm(texts):
    import litellm

    answer = litellm.embedding(
        model=f"openai/{MODEL}", input=texts, api_base=f"{URL}/v1", api_key=KEY, encoding_format="float"
    )
    return [each["embedding"] for each in answer.data]


def litellm_input_type(texts):
    import litellm  # puts the last member into one named extra_body, which is passed over

    answer = litellm.embedding(
        model=f"hosted_vllm/{MODEL}", input=texts, api_base=f"{URL}/v1", api_key=KEY, input_type="query",
        truncate_prompt_tokens=256,
    )  # fmt: skip
    return [each["embedding"] for each in answer.data]


def llama_index_openai_like(texts):
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    return OpenAILikeEmbedding(model_name=MODEL, api_base=f"{URL}/v1", api_key=KEY).get_text_embedding_batch(texts)


def llama_index_tei(texts):
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    return TextEmbeddingsInference(model_name=MODEL, base_url=URL).get_text_embedding_batch(texts)


def haystack_openai(texts):
    from haystack import Document
    from haystack.components.embedders import OpenAIDocumentEmbedder
    from haystack.utils import Secret

    embedder = OpenAIDocumentEmbedder(
        model=MODEL, api_base_url=f"{URL}/v1", api_key=Secret.from_token(KEY), progress_bar=False
    )
    return [each.embedding for each in embedder.run([Document(content=text) for text in texts])["documents"]]


def haystack_tei(texts):
    from haystack import Document
    from haystack_integrations.components.embedders.huggingface_api import HuggingFaceAPIDocumentEmbedder

    embedder = HuggingFaceAPIDocumentEmbedder(
        api_type="text_embeddings_inference", api_params={"url": URL}, token=None, normalize=True,
        progress_bar=False,
    )  # fmt: skip
    return [each.embedding for each in embedder.run([Document(content=text) for text in texts])["documents"]]


def infinity_client(texts):
    from infinity_client import Client
    from infinity_client.api.default import embeddings
    from infinity_client.models import OpenAIEmbeddingInputText

    with Client(base_url=URL) as client:
        body = OpenAIEmbeddingInputText(input_=texts, model=MODEL)
        return [each.embedding for each in embeddings.sync(client=client, body=body).data]


def chromadb_openai(texts):
    from chromadb.utils.embedding_functions import OpenAIEmbeddingFunction

    return OpenAIEmbeddingFunction(api_key=KEY, api_base=f"{URL}/v1", model_name=MODEL)(texts)


def chromadb_hugging_face_server(texts):
    from chromadb.utils.embedding_functions import HuggingFaceEmbeddingServer

    return HuggingFaceEmbeddingServer(url=f"{URL}/embed")(texts)


def langchain_nvidia(texts):
    from langchain_nvidia_ai_endpoints import NVIDIAEmbeddings

    return NVIDIAEmbeddings(base_url=f"{URL}/v1", model=MODEL, nvidia_api_key=KEY, truncate="END").embed_documents(texts)


def litellm_rerank(provider):
    def rerank(texts):
        import litellm

        # infinity has a string where the others at this path have an object with the text.
        more = {"return_documents": False} if provider == "infinity" else {}
        path = {"jina_ai": "/v1/rerank", "cohere": "/v1/rerank"}.get(provider, "")
        answer = litellm.rerank(
            model=f"{provider}/reranker", query=texts[0], documents=texts[1:], api_base=URL + path, api_key=KEY, **more
        )
        return [each["relevance_score"] for each in sorted(answer.results, key=lambda each: each["index"])]

    return rerank


def haystack_rerank(texts):
    from haystack import Document
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    documents = [Document(id=str(index), content=text) for index, text in enumerate(texts[1:])]
    found = HuggingFaceTEIRanker(url=URL, top_k=len(documents), token=None).run(texts[0], documents)["documents"]
    return [each.score for each in sorted(found, key=lambda each: int(each.id))]


def infinity_rerank(texts):
    from infinity_client import Client
    from infinity_client.api.default import rerank
    from infinity_client.models import RerankInput

    with Client(base_url=URL) as client:
        body = RerankInput(query=texts[0], documents=texts[1:], model="reranker")
        found = rerank.sync(client=client, body=body).results
    return [each.relevance_score for each in sorted(found, key=lambda each: each.index)]


def cohere_sdk(texts):
    import cohere

    found = cohere.ClientV2(KEY, base_url=URL).rerank(model="reranker", query=texts[0], documents=texts[1:]).results
    return [each.relevance_score for each in sorted(found, key=lambda each: each.index)]


def langchain_cohere(texts):
    from langchain_cohere import CohereRerank

    ranker = CohereRerank(base_url=URL, cohere_api_key=KEY, model="reranker")
    return in_order(ranker.rerank(texts[1:], texts[0], top_n=None))


def langchain_infinity(texts):
    from infinity_client import Client
    from langchain_community.document_compressors.infinity_rerank import InfinityRerank

    ranker = InfinityRerank(client=Client(base_url=URL), model="reranker", top_n=len(texts))
    return in_order(ranker.rerank(texts[1:], texts[0], top_n=None))


def in_order(found):
    return [each["relevance_score"] for each in sorted(found, key=lambda each: each["index"])]


def llama_index_rerank(kind):
    def rerank(texts):
        from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

        if kind == "tei":
            from llama_index.postprocessor.tei_rerank import TextEmbeddingInference as Ranker

            ranker = Ranker(base_url=URL, top_n=len(texts))
        elif kind == "jinaai":
            from llama_index.postprocessor.jinaai_rerank import JinaRerank as Ranker

            ranker = Ranker(base_url=f"{URL}/v1", api_key=KEY, model="reranker", top_n=len(texts) - 1)
        else:
            from llama_index.postprocessor.cohere_rerank import CohereRerank as Ranker

            ranker = Ranker(base_url=URL, api_key=KEY, model="reranker", top_n=len(texts) - 1)
        nodes = [NodeWithScore(node=TextNode(text=text, id_=str(index))) for index, text in enumerate(texts[1:])]
        found = ranker.postprocess_nodes(nodes, QueryBundle(texts[0]))
        return [each.score for each in sorted(found, key=lambda each: int(each.node.node_id))]

    return rerank


RERANKERS = {
    **{
        f"litellm rerank, `{provider}/`{more}": ("litellm", litellm_rerank(provider))
        for provider, more in {
            "huggingface": "", "infinity": ", `return_documents=False`", "hosted_vllm": "", "jina_ai": "", "cohere": "",
        }.items()
    },
    "haystack, TEI ranker": ("huggingface-api-haystack", haystack_rerank),
    "infinity-client, rerank": ("infinity_client", infinity_rerank),
    "cohere": ("cohere", cohere_sdk),
    "langchain, Cohere reranker": ("langchain-cohere", langchain_cohere),
    "langchain, infinity reranker": ("langchain-community", langchain_infinity),
    **{
        f"llama-index, {name} reranker": (f"llama-index-postprocessor-{kind}-rerank", llama_index_rerank(kind))
        for kind, name in {"tei": "TEI", "jinaai": "Jina", "cohere": "Cohere"}.items()
    },
}
CLIENTS = {
    "openai, `extra_body`": ("openai", openai_with_members_of_others),
    "litellm, `openai/`": ("litellm", litellm),
    "litellm, `hosted_vllm/`": ("litellm", litellm_input_type),
    "llama-index, OpenAI-like": ("llama-index-embeddings-openai-like", llama_index_openai_like),
    "llama-index, TEI": ("llama-index-embeddings-text-embeddings-inference", llama_index_tei),
    "haystack, OpenAI": ("haystack-ai", haystack_openai),
    "haystack, TEI, `normalize=True`": ("huggingface-api-haystack", haystack_tei),
    "infinity-client, embeddings": ("infinity_client", infinity_client),
    "chromadb, OpenAI": ("chromadb", chromadb_openai),
    "chromadb, HuggingFaceEmbeddingServer": ("chromadb", chromadb_hugging_face_server),
    "langchain-nvidia": ("langchain-nvidia-ai-endpoints", langchain_nvidia),
}

if __name__ == "__main__":
    os.environ |= QUIET
    URL = sys.argv[1]
    texts = json.load(sys.stdin)
    # Clients print what they like.
    answers, sys.stdout = sys.stdout, sys.stderr
    found = {}
    is_rerank = sys.argv[2:] == ["rerank"]
    for name, (package, ask) in (RERANKERS if is_rerank else CLIENTS).items():
        result = found[name] = {"package": package, "version": importlib.metadata.version(package)}
        try:
            answer = ask(texts)
            result["numbers"] = answer if is_rerank else [[float(number) for number in vector] for vector in answer]
        except Exception:
            result["failure"] = traceback.format_exc()
    json.dump(found, answers)
