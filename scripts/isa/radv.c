// Compiles SPIR-V compute shaders by the Vulkan driver that the loader finds, and prints what it says of each: the
// statistics and the assembly of VK_KHR_pipeline_executable_properties.
//
// No queue is submitted to, so Mesa's RADV does it without an AMD GPU: RADV_FORCE_FAMILY names the chip.
// https://docs.mesa3d.org/envvars.html#envvar-RADV_FORCE_FAMILY
//
// Standard input has a line for each shader: its file, the subgroup size it requires or 0, and its descriptors, each
// `set.binding.u` for a uniform buffer or `set.binding.s` for a storage buffer. Standard output has
//
//   #driver NAME
//   #shader FILE SUBGROUP_SIZE
//   #statistic VALUE NAME
//   #assembly
//   …, until the next line with #
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { MAX_SETS = 2, MAX_BINDINGS = 32, MAX_LINE = 4096, MAX_TEXTS = 8, MAX_STATISTICS = 64 };

#define CHECK(call) check((call), #call)

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(1);
}

static void check(VkResult result, const char *call) {
  if (result == VK_SUCCESS) return;
  fprintf(stderr, "%s: VkResult %d\n", call, result);
  exit(1);
}

struct Context {
  VkDevice device;
  PFN_vkGetPipelineExecutablePropertiesKHR executables;
  PFN_vkGetPipelineExecutableStatisticsKHR statistics;
  PFN_vkGetPipelineExecutableInternalRepresentationsKHR texts;
};

static VkPhysicalDevice open_driver(void) {
  VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .apiVersion = VK_API_VERSION_1_3};
  VkInstanceCreateInfo info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                               .pApplicationInfo = &application};
  VkInstance instance;
  CHECK(vkCreateInstance(&info, NULL, &instance));
  uint32_t count = 1;
  VkPhysicalDevice physical;
  VkResult result = vkEnumeratePhysicalDevices(instance, &count, &physical);
  if (result != VK_INCOMPLETE) check(result, "vkEnumeratePhysicalDevices");
  if (count == 0) fail("vkEnumeratePhysicalDevices", "no device");
  VkPhysicalDeviceDriverProperties driver = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
  VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                            .pNext = &driver};
  vkGetPhysicalDeviceProperties2(physical, &properties);
  printf("#driver %s\n", driver.driverInfo);
  return physical;
}

// A device with every feature of the driver among these, as Dawn requests those that it uses.
static struct Context open_device(VkPhysicalDevice physical) {
  VkPhysicalDeviceRobustness2FeaturesEXT robustness = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT};
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
      .pNext = &robustness};
  VkPhysicalDeviceVulkan11Features v11 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                          .pNext = &executable};
  VkPhysicalDeviceVulkan12Features v12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                          .pNext = &v11};
  VkPhysicalDeviceVulkan13Features v13 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                          .pNext = &v12};
  VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                        .pNext = &v13};
  vkGetPhysicalDeviceFeatures2(physical, &features);
  const char *extensions[] = {VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME,
                              VK_EXT_ROBUSTNESS_2_EXTENSION_NAME};
  float priority = 1;
  VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                   .queueCount = 1,
                                   .pQueuePriorities = &priority};
  VkDeviceCreateInfo info = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                             .pNext = &features,
                             .queueCreateInfoCount = 1,
                             .pQueueCreateInfos = &queue,
                             .enabledExtensionCount = 2,
                             .ppEnabledExtensionNames = extensions};
  struct Context context;
  CHECK(vkCreateDevice(physical, &info, NULL, &context.device));
#define LOAD(name) (PFN_##name) vkGetDeviceProcAddr(context.device, #name)
  context.executables = LOAD(vkGetPipelineExecutablePropertiesKHR);
  context.statistics = LOAD(vkGetPipelineExecutableStatisticsKHR);
  context.texts = LOAD(vkGetPipelineExecutableInternalRepresentationsKHR);
  return context;
}

// The layout of the descriptors in the remaining words of a line.
static VkPipelineLayout layout_of(VkDevice device) {
  VkDescriptorSetLayoutBinding bindings[MAX_SETS][MAX_BINDINGS];
  uint32_t counts[MAX_SETS] = {0};
  for (const char *word; (word = strtok(NULL, " \n"));) {
    unsigned set, binding;
    char kind;
    if (sscanf(word, "%u.%u.%c", &set, &binding, &kind) != 3) fail("no descriptor", word);
    if (set >= MAX_SETS || counts[set] == MAX_BINDINGS) fail("descriptor out of range", word);
    bindings[set][counts[set]++] = (VkDescriptorSetLayoutBinding){
        .binding = binding,
        .descriptorType = kind == 'u' ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
                                      : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .descriptorCount = 1,
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  }
  VkDescriptorSetLayout sets[MAX_SETS];
  for (int i = 0; i < MAX_SETS; i++) {
    VkDescriptorSetLayoutCreateInfo info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                            .bindingCount = counts[i],
                                            .pBindings = bindings[i]};
    CHECK(vkCreateDescriptorSetLayout(device, &info, NULL, &sets[i]));
  }
  VkPipelineLayoutCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                     .setLayoutCount = MAX_SETS,
                                     .pSetLayouts = sets};
  VkPipelineLayout layout;
  CHECK(vkCreatePipelineLayout(device, &info, NULL, &layout));
  return layout;
}

static VkShaderModule module_of(VkDevice device, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot open", path);
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  uint32_t *code = malloc(size);
  if (fread(code, 1, size, file) != (size_t)size) fail("cannot read", path);
  fclose(file);
  VkShaderModuleCreateInfo info = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                   .codeSize = size,
                                   .pCode = code};
  VkShaderModule module;
  CHECK(vkCreateShaderModule(device, &info, NULL, &module));
  free(code);
  return module;
}

static VkPipeline pipeline_of(VkDevice device, VkShaderModule module, VkPipelineLayout layout,
                              uint32_t subgroup_size) {
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo required = {
      VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
      .requiredSubgroupSize = subgroup_size};
  VkComputePipelineCreateInfo info = {
      VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
               VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR,
      .stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .pNext = subgroup_size ? &required : NULL,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "dawn_entry_point"},
      .layout = layout};
  VkPipeline pipeline;
  CHECK(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
  return pipeline;
}

static void print_statistics(struct Context context, const VkPipelineExecutableInfoKHR *info) {
  VkPipelineExecutableStatisticKHR found[MAX_STATISTICS] = {0};
  for (int i = 0; i < MAX_STATISTICS; i++)
    found[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  uint32_t count = MAX_STATISTICS;
  CHECK(context.statistics(context.device, info, &count, found));
  for (uint32_t i = 0; i < count; i++)
    if (found[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR)
      printf("#statistic %" PRIu64 " %s\n", found[i].value.u64, found[i].name);
}

static void print_assembly(struct Context context, const VkPipelineExecutableInfoKHR *info) {
  VkPipelineExecutableInternalRepresentationKHR found[MAX_TEXTS] = {0};
  for (int i = 0; i < MAX_TEXTS; i++)
    found[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
  uint32_t count = MAX_TEXTS;
  CHECK(context.texts(context.device, info, &count, found));
  for (uint32_t i = 0; i < count; i++) found[i].pData = calloc(found[i].dataSize + 1, 1);
  CHECK(context.texts(context.device, info, &count, found));
  for (uint32_t i = 0; i < count; i++) {
    if (strcmp(found[i].name, "Assembly") == 0)
      printf("#assembly\n%s\n", (const char *)found[i].pData);
    free(found[i].pData);
  }
}

static void describe(struct Context context, VkPipeline pipeline, const char *path) {
  VkPipelineInfoKHR of = {VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
  VkPipelineExecutablePropertiesKHR properties = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
  uint32_t count = 1;
  CHECK(context.executables(context.device, &of, &count, &properties));
  printf("#shader %s %u\n", path, properties.subgroupSize);
  VkPipelineExecutableInfoKHR info = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                      .pipeline = pipeline};
  print_statistics(context, &info);
  print_assembly(context, &info);
}

int main(void) {
  struct Context context = open_device(open_driver());
  char line[MAX_LINE];
  while (fgets(line, sizeof line, stdin)) {
    const char *path = strtok(line, " \n");
    const char *size = path ? strtok(NULL, " \n") : NULL;
    if (!size) fail("expected a file and a subgroup size", line);
    VkPipelineLayout layout = layout_of(context.device);
    VkShaderModule module = module_of(context.device, path);
    VkPipeline pipeline = pipeline_of(context.device, module, layout, atoi(size));
    describe(context, pipeline, path);
  }
  return 0;
}
